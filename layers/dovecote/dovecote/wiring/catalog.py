"""Check or compile a catalog folder: `python -m dovecote.wiring.catalog check <folder>`."""

import argparse
import sys
from pathlib import Path

from dovecote import channels
from dovecote.catalog.compile import check, compile_catalog
from dovecote.catalog.errors import BadCatalog
from dovecote.core.parsing.settings import BadSettings
from dovecote.wiring.settings import check_file


def main(arguments: list[str]) -> str:
    """Do what the command line says; return what to print. Raises BadCatalog and BadSettings."""
    parser = argparse.ArgumentParser(prog="python -m dovecote.wiring.catalog")
    parser.add_argument("command", choices=("check", "compile"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    check_file(given.folder)
    if given.command == "check":
        return f"{check(given.folder, channels.sections())} kinds and the settings are valid"
    if compile_catalog(given.folder, channels.sections()):
        return "compiled"
    return "not compiled, since JSON can't say all of it"


if __name__ == "__main__":
    try:
        print(f"catalog: {main(sys.argv[1:])}")
    except (BadCatalog, BadSettings) as error:
        sys.exit(f"catalog: {error}")
