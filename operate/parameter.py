"""Print what samconfig.toml gives a parameter: python -m operate.parameter ENV NAME DEFAULT."""

import sys
from pathlib import Path

from operate import samconfig
from operate.terminal import printable

PATH = Path(__file__).parent.parent / "samconfig.toml"


def main(environment: str, name: str, default: str) -> str:
    """Return the value in an environment, or the default."""
    return samconfig.read(PATH, environment).parameters.get(name, default)


if __name__ == "__main__":
    try:
        print(main(*sys.argv[1:]))
    except samconfig.BadConfiguration as error:
        sys.exit(printable(f"{error}: {error.remedy}"))
