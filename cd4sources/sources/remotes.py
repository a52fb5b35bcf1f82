"""
Requests to the remotes of repositories: bytes over connections that are kept.

A server makes one of them a poll. What more than that the library in `cd4sources.http` does for a
request costs as much again as the request. Whom a remote's certificate has to convince is up to the
system, as it is with git.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cd4sources.http_errors import BadAnswer, Unreachable, shown
from cd4sources.http_reply import Reply

if TYPE_CHECKING:
    import httpcore

ASK_SECONDS = 10.0
"""For one answer; git has its own patience."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""One ref was asked for; a longer answer is none."""

MAX_PIECES = 10_000
"""Each costs a little, however short: a remote must not keep everybody else waiting."""

_CONNECTIONS = 100
_KEPT_SECONDS = 70.0  # so that the next poll finds them; one that was closed meanwhile is noticed


class Remotes:
    """A pool of connections with a deadline on everything; close it when done."""

    @cached_property
    def _pool(self) -> "httpcore.AsyncConnectionPool":
        # Made when first needed: certificates take some 20 ms, and not everybody has such a remote.
        import httpcore

        return httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=_CONNECTIONS,
            keepalive_expiry=_KEPT_SECONDS,
        )

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """
        Ask once; any status is an answer, and no redirect is followed.

        Returns:
            The answer, with the names of its headers in lower case.

        Raises:
            Unreachable: No complete answer in time, or no such URL can be asked.
            BadAnswer: The answer is too long.
        """
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._asked(method, url, headers, body)
        except TimeoutError as error:
            raise Unreachable(f"{shown(url)} did not answer in time") from error
        except Exception as error:
            if isinstance(error, (OSError, ValueError, *_failures())):
                raise Unreachable(f"{shown(url)} is out of reach: {error}") from error
            raise

    async def aclose(self) -> None:
        """Close every connection."""
        if "_pool" in self.__dict__:
            await self._pool.aclose()

    async def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        # The library's own leaves out the brackets around an IPv6 address.
        host = urlsplit(url).netloc.rpartition("@")[2]
        fields = [("Host", host), ("User-Agent", "directcd"), *headers.items()]
        place, content = url.encode("ascii"), body or None
        async with self._pool.stream(method, place, headers=fields, content=content) as response:
            return Reply(url, response.status, _headers(response), await _bounded(url, response))


def _failures() -> tuple[type[Exception], ...]:
    import httpcore

    return (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    )


def _headers(response: "httpcore.Response") -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }


async def _bounded(url: str, response: "httpcore.Response") -> bytes:
    body, pieces = bytearray(), 0
    async for piece in response.aiter_stream():
        body += piece
        pieces += 1
        if len(body) > MAX_ANSWER_BYTES or pieces > MAX_PIECES:
            most = f"{MAX_ANSWER_BYTES} bytes or {MAX_PIECES} pieces"
            raise BadAnswer(f"{shown(url)}: the answer is longer than {most}")
    return bytes(body)
