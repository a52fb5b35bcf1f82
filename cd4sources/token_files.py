"""Bearer tokens in files: read each time they are used, shown nowhere."""

import re
from pathlib import Path

from cd4sources.http_errors import HttpError

_MOST_BYTES = 4096


class TokenUnusable(HttpError):
    """The token cannot be read, or no header can carry it."""


def read_token(file: Path | None, setting: str = "token_file") -> str:
    """
    The bearer token in a file, empty without a file.

    Args:
        file: Where it is.
        setting: What names the file, for the error's message.

    Raises:
        TokenUnusable: There is none; the message does not show what is there.
    """
    if file is None:
        return ""
    try:
        token = _text(file).strip()
    except OSError as error:
        raise TokenUnusable(f"{setting} {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        token = ""
    if not re.fullmatch(r"[\x21-\x7e]+", token) or len(token) > _MOST_BYTES:
        raise TokenUnusable(f"{setting} {file}: it must hold one token and nothing else")
    return token


def _text(file: Path) -> str:
    # No more than that: a device may never end.
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES + 1).decode("ascii")
