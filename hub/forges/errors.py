"""
What can go wrong at a forge's API.

    ForgeError
    ├── ForgeAway      no answer, or one that says "later" (5xx): the same call may succeed soon
    ├── RateLimited    nothing more may be asked before a moment
    └── ForgeRefused   it said no, and would say no again
        └── TokenUnusable   there is no token that could be sent

No message shows a token, nor a URL's query.
"""

from datetime import datetime


class ForgeError(Exception):
    """
    The forge did not do what it was asked.

    Attributes:
        next_step: what a person can do about it.
    """

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.next_step = next_step


class ForgeAway(ForgeError):
    """No answer, or one that says "later"."""


class RateLimited(ForgeError):
    """
    Nothing more may be asked for a while.

    Attributes:
        until: when that is over, UTC.
    """

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message, f"wait until {until:%H:%M:%S} UTC; it goes on by itself then")
        self.until = until


class ForgeRefused(ForgeError):
    """
    It said no.

    Attributes:
        status: of its answer; 0 when nothing was sent.
    """

    def __init__(self, message: str, next_step: str, status: int = 0) -> None:
        super().__init__(message, next_step)
        self.status = status


class TokenUnusable(ForgeRefused):
    """The file with the token cannot be read, or is empty."""
