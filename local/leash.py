"""Run a command that does not outlive the thread that started it.

    python leash.py PARENT SIGNAL USER GROUP COMMAND...

Linux sends SIGNAL to the command when the parent's thread is gone, even when that was killed with
SIGKILL. Elsewhere a process of the leash sends it, once the parent's process is gone. USER and
GROUP are ids, or "-" to stay who we are; giving up root belongs here because a change of
credentials would undo the leash. The command replaces this process, so the pid stays. Only the
standard library is used: this runs under `python -I -S`.
"""

import ctypes
import os
import sys
import time

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.2
# More than any command inherits.
FILES = 4096


def command(
    *arguments: str, signal: int, user: int | None = None, group: int | None = None
) -> list[str]:
    """Put the leash before a command; to be started by the calling process itself."""
    ids = ["-" if number is None else str(number) for number in (user, group)]
    leash = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(signal)), *ids]
    return [*leash, *arguments]


def main(parent: str, signal: str, user: str, group: str, *arguments: str) -> None:
    """Become the command, on the leash."""
    if user != "-":
        os.setgroups([])
        os.setgid(int(group))
        os.setuid(int(user))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal))
    else:
        _watch(int(parent), int(signal))
    if os.getppid() != int(parent):  # it died before the leash was on
        sys.exit(1)
    os.execvp(arguments[0], arguments)  # noqa: S606 - it is what a leash is for


def _watch(parent: int, signal: int) -> None:
    """Start a process that signals this one once the parent is gone, and ends with this one."""
    command = os.getpid()
    if os.fork():
        return
    os.closerange(0, FILES)  # a reader of the command's output waits until all have closed it
    while os.getppid() == command:
        if not _lives(parent):
            os.kill(command, signal)
            break
        time.sleep(LOOK_SECONDS)
    os._exit(0)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is root's
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
