"""Where a callback's URL points: read once, so that what was checked is what is called."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from hub.resolving import is_address

URL_LIMIT = 2_000  # characters

_NAME = re.compile(r"(?=.{1,253}\Z)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?", re.ASCII)
_TARGET = re.compile(r"[!-~]*", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where a URL points.

    Attributes:
        scheme: `http` or `https`.
        host: a name in its ASCII form, or an IP address without brackets.
        port: the URL's, or that of the scheme.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """
        Read a URL.

        Raises:
            ValueError: it is none that can be posted to; the message does not repeat it.
        """
        parts, port = _split(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("it is no http or https URL")
        if "@" in parts.netloc:
            raise ValueError(
                "it holds a user name or password, and would show them; leave them out"
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if parts.fragment or not _TARGET.fullmatch(target):
            raise ValueError("its path has characters that must be %-encoded, or a fragment")
        port = _PORTS[parts.scheme] if port is None else port
        return cls(parts.scheme, _ascii(parts.hostname), port, target)

    @property
    def authority(self) -> str:
        """The `Host` header: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > URL_LIMIT:
        raise ValueError(f"it is longer than {URL_LIMIT} characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("its host is no name and no IP address") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port is no number from 1 to 65535")
    return parts, port


def _ascii(host: str) -> str:
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise ValueError("its host is no name") from error
    if not (_NAME.fullmatch(name) or is_address(name)):
        raise ValueError("its host is no name")
    return name
