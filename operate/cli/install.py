"""Write the scripts of pyproject.toml into this environment: python -m operate.cli.install.

They run this checkout from any directory. pip would need a build backend for that, and network.
"""

import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path

from operate import ROOT

# As pip writes it: both sh and Python read it, since the path after #! may have no blank.
SCRIPT = """\
#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys

sys.path[:0] = {paths!r}
from {module} import {function}

sys.exit({function}())
"""
PATHS = [str(ROOT / "layers" / "dovecote"), str(ROOT)]


def install(folder: Path) -> None:
    """Write each script into a folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for name, target in project["scripts"].items():
        module, _, function = target.partition(":")
        python = shlex.quote(sys.executable)
        text = SCRIPT.format(python=python, paths=PATHS, module=module, function=function)
        script = folder / name
        script.write_text(text)
        script.chmod(0o755)


if __name__ == "__main__":
    install(Path(sysconfig.get_path("scripts")))
