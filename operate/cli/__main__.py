"""Run the command `dovecote` from a checkout: python -m operate.cli why --user u-1."""

import sys

from operate.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
