"""
Passwords taken out of `ps`: the seed's command line may hold one, and everyone may read that.

The kernel shows a process's arguments from the process's own memory, so they can be written over
there; what Python has read of them is a copy. Until that is done, about a tenth of a second after
the start, everyone can still see them: a password in a file never shows.
"""

import os
import re
import sys
from pathlib import Path

# Generous: up to the last `@` of a word, for a password may hold what it should not.
_SECRET = re.compile(rb"(?<=://)[^\0]*(?=@)|(?<=password=)[^\0&]*")
# Fields 48 and 49, counted from the third, behind the name, which may hold blanks and brackets.
# See https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
_ARG_START, _ARG_END = 48 - 3, 49 - 3


def hide_secrets() -> None:
    """Write stars over what may be a password in this process's arguments, if there is any."""
    if any(_SECRET.search(os.fsencode(word)) for word in sys.argv):
        _write_over()


def masked(arguments: bytes) -> bytes:
    """The same number of bytes, each of a possible password a star."""
    return _SECRET.sub(lambda found: b"*" * len(found[0]), arguments)


def _write_over() -> None:
    # Through /proc rather than a pointer: a wrong address is an error there and not a crash.
    try:
        start, end = _place()
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 -- no buffer
            memory.seek(start)
            arguments = memory.read(end - start)
            if arguments == Path("/proc/self/cmdline").read_bytes():
                memory.seek(start)
                memory.write(masked(arguments))
    except (OSError, ValueError, IndexError):
        return  # a kernel that does not allow it


def _place() -> tuple[int, int]:
    fields = Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()
    return int(fields[_ARG_START]), int(fields[_ARG_END])
