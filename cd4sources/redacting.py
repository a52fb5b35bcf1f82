"""What others say may hold a password where a URL has one: masked before it is told on."""

import re

_USER_INFO = re.compile(r"://[^\s/]*@")


def redacted(text: str) -> str:
    """The text with the user and password of every URL masked."""
    return _USER_INFO.sub("://***@", text)
