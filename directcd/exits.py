"""What the commands exit with: the one list, which docs/reference/exit-codes.md shows."""

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """An exit code, and what it says."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Keep the meaning beside the number."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made

    OK = 0, "what was asked for is done"
    FAILED = 1, "it is not, and the message says why"
    USAGE = 2, "the command line, directcd.toml or a variable is wrong; nothing was done"
    NOTHING_NEW = 3, "nothing new in time, or nothing known of what was asked for"
    FORBIDDEN = 4, "a token or a signature is missing, wrong, or not good for this"
    BUILD_FAILED = 5, "the build failed; the program that ran before still runs"
    ROLLED_BACK = 6, "the new program was sick; the one before runs"
    UNREACHABLE = 7, "the hub, the server, the forge or a repository is out of reach"
    # What shells report for a command ended by Ctrl-C.
    INTERRUPTED = 130, "interrupted twice, so that nothing was waited for any more"
