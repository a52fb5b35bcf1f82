"""
What a web page may not make a browser ask while the API is open.

Without tokens everybody who reaches the address may do everything, and so does every page that is
open in a browser there: browsers send what pages tell them to, and only say from where
(https://www.w3.org/TR/fetch-metadata/). A page whose name was made to point here afterwards ("DNS
rebinding") is of the same origin for the browser; the name in Host gives it away.
"""

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from cd4sources.problems import Problem

_OUR_SITES = frozenset({"", "same-origin", "none"})
_TOKENS = "configure [[server.tokens]] (`directcd token new` makes one), and send one"


def refuse_other_sites(connection: HTTPConnection) -> None:
    """
    Let a change be asked for by programs, and by pages of this very address.

    Raises:
        Problem: 403, a browser sends it for a page from elsewhere.
    """
    headers = connection.headers
    site, origin = headers.get("Sec-Fetch-Site", ""), headers.get("Origin")
    if site not in _OUR_SITES or (origin is not None and _place(origin) != headers.get("Host")):
        detail = f"a page of {origin or 'another site'} asks for a change, and there are no tokens"
        raise Problem(403, "cross-site", detail, f"ask from a program; or {_TOKENS}")


def refuse_other_names(connection: HTTPConnection) -> None:
    """
    Let a server on loopback be asked by the names of this machine only.

    Raises:
        Problem: 403, Host is another name.
    """
    host = connection.headers.get("Host", "")
    if host and not is_loopback(host):
        detail = f"this server is for this machine alone, and was asked as {host!r}"
        step = f"ask for 127.0.0.1 or localhost (a proxy: send that as Host); or {_TOKENS}"
        raise Problem(403, "foreign-host", detail, step)


def is_loopback(address: str) -> bool:
    """Tell whether `host[:port]` can only mean this machine."""
    with suppress(ValueError):
        host = (urlsplit(f"//{address}").hostname or "").rstrip(".")
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    return False


def _place(origin: str) -> str:
    return origin.partition("://")[2]
