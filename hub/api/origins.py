"""
What a web page may not have a browser ask of the hub.

Browsers send what pages tell them to, with the cookies they have, and say from where
(https://www.w3.org/TR/fetch-metadata/). A page whose name was made to point here afterwards ("DNS
rebinding") is of the same origin for the browser; the name in Host gives it away.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from hub.problem import Problem

_TOKENS = "configure [[hub.tokens]] (`directcd token new --for hub` makes one), and send one"


def refuse_other_sites(asked: HTTPConnection, *, by_cookie: bool) -> None:
    """
    Let a change be asked for by our own pages; by programs, which send no Origin, without a cookie.

    Raises:
        Problem: 403, it is asked for by a page from elsewhere.
    """
    origin, site = asked.headers.get("Origin"), asked.headers.get("Sec-Fetch-Site", "same-origin")
    is_ours = origin.partition("://")[2] == asked.headers.get("Host") if origin else not by_cookie
    if is_ours and site in {"same-origin", "none"}:
        return
    detail = f"a page of {origin or 'another site'} asks for a change"
    step = "use the hub's own pages, under the name in its Host header; or a program and a token"
    raise Problem(403, "cross-site", detail[:300], step)


def refuse_other_names(asked: HTTPConnection) -> None:
    """
    Let a hub that listens on loopback be asked by the names of this machine only.

    Raises:
        Problem: 403, Host is another name.
    """
    host = asked.headers.get("Host", "")
    if host and not is_loopback(host):
        detail = f"this hub is for this machine alone, and was asked as {host[:200]!r}"
        step = f"ask for 127.0.0.1 or localhost (a proxy: send that as Host); or {_TOKENS}"
        raise Problem(403, "foreign-host", detail, step)


def is_loopback(address: str) -> bool:
    """Tell whether `host[:port]` can only mean this machine."""
    try:
        host = (urlsplit(f"//{address}").hostname or "").rstrip(".")
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:
        return False
