"""Run the stack until Ctrl-C; what keeps it from starting is one line that says what to do."""

import sys


def main() -> int:
    """Run the stack and return the exit code."""
    try:
        # Here, so that what is missing is a line and no traceback.
        from local.run.foreground import foreground  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.stderr.write(f"run: the Python module {error.name} is missing: run make setup\n")
        return 1
    return foreground()


if __name__ == "__main__":
    sys.exit(main())
