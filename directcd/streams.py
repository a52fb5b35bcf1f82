"""Standard streams that whoever started us has closed."""

import os
import sys

_STANDARD = range(3)


def open_closed() -> None:
    """
    Have all three standing for something, if only for nothing.

    Python knows a closed one as None; and the next file that is opened would get its number, so
    that a program we start would write into it.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            lowest = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(lowest, True)  # noqa: FBT003 -- the only way to say it
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
