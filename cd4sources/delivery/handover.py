"""
Puts listening sockets where a program looks for them, and becomes that program.

Run as `python -I -S handover.py NAME=DESCRIPTOR… -- PROGRAM ARGUMENT…`. `LISTEN_PID` must be the
program's own process id, which is known only in its process: so this is that process, before exec.
Needs nothing but the standard library.
See https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import errno
import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

FIRST_DESCRIPTOR = 3
CANNOT_START = 126  # what shells exit with for a file that is there and cannot be executed
CANNOT_NOW = 125  # what wrappers such as env and nohup exit with when they fail themselves

OF_THE_MACHINE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
"""Errors at a start that say nothing about the program."""

_BUSY_ATTEMPTS = 50
_BUSY_PAUSE_SECONDS = 0.02


def arrange(descriptors: Sequence[int]) -> None:
    """Move descriptors to 3, 4, …; at first out of each other's way."""
    beyond = FIRST_DESCRIPTOR + len(descriptors)
    aside = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, beyond) for one in descriptors]
    for one in descriptors:
        os.close(one)
    for place, one in enumerate(aside, FIRST_DESCRIPTOR):
        os.dup2(one, place, inheritable=True)


def environment(names: Sequence[str]) -> dict[str, str]:
    """The environment, with what tells a program about its sockets."""
    return {
        **os.environ,
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(names)),
        "LISTEN_FDNAMES": ":".join(names),
    }


def become(argv: list[str], env: Mapping[str, str]) -> None:
    """
    Execute a program in this process; returns never.

    Raises:
        OSError: It cannot be executed.
    """
    # Python ignores these, and a program would inherit that.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    for _ in range(_BUSY_ATTEMPTS):
        try:
            os.execve(argv[0], argv, env)  # noqa: S606 -- no shell is wanted
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
        time.sleep(_BUSY_PAUSE_SECONDS)
    raise OSError(errno.ETXTBSY, os.strerror(errno.ETXTBSY), argv[0])


def main(arguments: Sequence[str]) -> int:
    """Hand the sockets over; the exit status when that cannot be done."""
    end = arguments.index("--")
    pairs = [argument.rpartition("=") for argument in arguments[:end]]
    argv = [*arguments[end + 1 :]]
    try:
        arrange([int(descriptor) for _, _, descriptor in pairs])
        become(argv, environment([name for name, _, _ in pairs]))
    except OSError as error:
        sys.stderr.write(f"{argv[0]} cannot be started: {error.strerror}\n")
        if error.errno in OF_THE_MACHINE | {errno.ETXTBSY}:
            return CANNOT_NOW
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
