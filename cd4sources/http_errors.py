"""
Every way in which a request can fail, in words a person can act on.

    HttpError               any way in which a request can fail
    ├── Unreachable         no answer: refused, timed out, cut off
    ├── BadStatus           an answer that says no, with the server's own reason
    ├── BadAnswer           an answer that is not what was asked for
    └── BrokenDownload      bytes that are not the promised ones; nothing of them is kept
"""

import re
from urllib.parse import urlsplit

from pydantic import BaseModel

MAX_RETRY_AFTER_SECONDS = 60.0
"""A server may ask for patience, not for being forgotten."""


class HttpError(Exception):
    """A request failed."""


class Unreachable(HttpError):
    """No complete answer came; the request may or may not have had its effect."""


class BadAnswer(HttpError):
    """The answer is not of the agreed form; is this address the right service and version?"""


class BrokenDownload(HttpError):
    """The bytes are not the promised ones."""


class Problem(BaseModel):
    """What an error answer tells (RFC 9457), as far as it is used here."""

    code: str = ""
    detail: str = ""
    next: str = ""


class BadStatus(HttpError):
    """The server answered with a status that is not a success."""

    def __init__(self, url: str, status: int, problem: Problem, retry_after: str = "") -> None:
        """Keep what the server said about the reason."""
        said = "; ".join(part.rstrip(".") for part in (problem.detail, problem.next) if part)
        super().__init__(f"{shown(url)} answered {status}{': ' if said else ''}{said}")
        self.status = status
        self.problem = problem
        self.retry_after_seconds = _retry_after_seconds(retry_after)


def shown(url: str) -> str:
    """Return a URL that may be logged: without user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _retry_after_seconds(header: str) -> float:
    """Seconds of a Retry-After header, 0 when there is none; dates are not used here."""
    seconds = float(header) if re.fullmatch(r"[0-9]{1,6}", header) else 0.0
    return min(seconds, MAX_RETRY_AFTER_SECONDS)
