"""
HTTP as a client, with hubs and servers; remotes of repositories are asked by `sources/remotes.py`.

Its errors are ours (`http_errors`), with the library's own as their cause. The library is loaded
with the first request: a process that asks nobody does not hold its 20 MB.
"""

import asyncio
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from cd4sources.http_errors import (
    BadAnswer,
    BadStatus,
    BrokenDownload,
    HttpError,
    Problem,
    Unreachable,
    shown,
)
from cd4sources.http_reply import Reply
from cd4sources.partial import Partial, opened
from cd4sources.sse import EventParser, EventTooLong, ServerSentEvent

if TYPE_CHECKING:
    import httpx

# The library loads its own command line, and what that draws with, if it can: 4 MB for nothing.
cast("dict[str, object]", sys.modules).setdefault("httpx._main", None)

CONNECT_TIMEOUT_SECONDS = 5.0
"""A host that does not even accept a connection by then is treated as away."""

REQUEST_TIMEOUT_SECONDS = 30.0
"""For a whole small request; long polls name their own."""

STALL_TIMEOUT_SECONDS = 60.0
"""A download may take long, but not pause for longer than this."""

LEAST_BYTES_PER_SECOND = 1024
"""A download that is slower, on the mean of `STALL_TIMEOUT_SECONDS`, is as good as none: another
server may be faster."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""No JSON answer of hub or server comes near; a longer one is refused before it fills memory."""

RESUMED = 206
TOO_FAR = 416

__all__ = [
    "BadAnswer",
    "BadStatus",
    "BrokenDownload",
    "Http",
    "HttpError",
    "Problem",
    "Reply",
    "Unreachable",
    "shown",
]

Params = Sequence[tuple[str, str]]


class Http:
    """
    A pool of connections with a deadline on everything; use it as `async with Http() as http`.

    Proxies of the environment are used, except for loopback addresses: those are this machine.
    Redirects are answers like any other, that is, errors.
    """

    @cached_property
    def _client(self) -> "httpx.AsyncClient":
        import httpx

        # These loggers print whole URLs, and URLs may hold passwords.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return httpx.AsyncClient(
            mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")),
            headers={"User-Agent": "directcd", "Accept-Encoding": "identity"},
            timeout=_timeout(REQUEST_TIMEOUT_SECONDS),
        )

    async def __aenter__(self) -> Self:
        """Open the pool; nothing is connected yet."""
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def get_json(
        self,
        url: str,
        params: Params = (),
        *,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        token: str = "",
    ) -> Reply:
        """
        Ask for a small answer; `Reply.read` gives its value.

        Args:
            url: Without the query.
            params: The query, names may repeat.
            timeout_seconds: For the whole request; a long poll's own time-out must be shorter.
            token: The bearer token for this server, empty for none.

        Raises:
            Unreachable: No complete answer in time.
            BadStatus: The answer is not a success (2xx).
            BadAnswer: The answer is too long, or encoded.
        """
        headers = _authorization(token)
        query = list(params) or None
        return await self._exchange("GET", url, timeout_seconds, params=query, headers=headers)

    async def head(self, url: str, params: Params = (), *, token: str = "") -> Reply:
        """Ask for the headers alone; arguments and errors as for `get_json`."""
        headers = _authorization(token)
        return await self._exchange(
            "HEAD", url, REQUEST_TIMEOUT_SECONDS, params=list(params) or None, headers=headers
        )

    async def post_json(
        self,
        url: str,
        body: object,
        *,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        token: str = "",
    ) -> Reply:
        """Post a JSON value; errors as for `get_json`."""
        headers = _authorization(token)
        return await self._exchange("POST", url, timeout_seconds, json=body, headers=headers)

    async def put_json(self, url: str, body: object, *, token: str = "") -> Reply:
        """Put a JSON value; errors as for `get_json`."""
        headers = _authorization(token)
        return await self._exchange("PUT", url, REQUEST_TIMEOUT_SECONDS, json=body, headers=headers)

    async def delete(self, url: str, *, token: str = "") -> Reply:
        """Delete what a URL names; errors as for `get_json`."""
        headers = _authorization(token)
        return await self._exchange("DELETE", url, REQUEST_TIMEOUT_SECONDS, headers=headers)

    @asynccontextmanager
    async def events(
        self,
        url: str,
        params: Params = (),
        *,
        last_event_id: str = "",
        silence_seconds: float,
        token: str = "",
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """
        Open a stream of server-sent events; entering means that the server has accepted it.

        Args:
            url: Without the query.
            params: The query, names may repeat.
            last_event_id: Where to resume, empty for nowhere.
            silence_seconds: A stream that says nothing, not even a ping, for so long is dead.
            token: The bearer token for this server, empty for none.

        Yields:
            The events, until the server ends the stream.

        Raises:
            Unreachable: The stream broke or fell silent.
            BadStatus: The stream was refused.
            BadAnswer: An event is too long, or the stream encoded.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        headers |= _authorization(token)
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        request = self._client.stream(
            "GET",
            url,
            params=list(params) or None,
            headers=headers,
            timeout=_timeout(silence_seconds),
        )
        with _translated(url):
            async with request as response:
                await _refuse_errors(url, response)
                yield _parsed(url, response)

    async def pieces(
        self, url: str, params: Params = (), *, silence_seconds: float | None, token: str = ""
    ) -> AsyncIterator[bytes]:
        """
        The bytes of a long answer, as they come; errors as for `get_json`.

        Args:
            url: Without the query.
            params: The query, names may repeat.
            silence_seconds: The longest pause between two pieces; None: any.
            token: The bearer token for this server, empty for none.
        """
        headers, timeout = _authorization(token), _timeout(silence_seconds)
        request = self._client.stream(
            "GET", url, params=list(params) or None, headers=headers, timeout=timeout
        )
        with _translated(url):
            async with request as response:
                await _refuse_errors(url, response)
                async for piece in _raw(response):
                    yield piece

    async def download(
        self, url: str, into: Path, *, size: int, sha256: str, token: str = ""
    ) -> None:
        """
        Fetch bytes into a file, on disk and synced when this returns.

        What an earlier attempt left in the file is not fetched again, whichever server it came
        from: the digest of the bytes is also their tag.

        Args:
            url: Where the bytes are.
            into: The file; left to the caller in any case, and empty after BrokenDownload.
            size: How many bytes there must be.
            sha256: Their digest, in hex.
            token: The bearer token for this server, empty for none.

        Raises:
            BrokenDownload: The bytes are not the promised ones.
            Unreachable: The transfer stalled, crept or broke; call again to go on.
            BadStatus: The server refused.
            BadAnswer: The answer is encoded, e.g. compressed.
            OSError: The file cannot be written.
        """
        with opened(into) as partial:
            await asyncio.to_thread(partial.take_up, size)
            if partial.length < size:
                await self._fill(partial, url, size, sha256, token)
            await asyncio.to_thread(partial.sync)
            if partial.sha256 != sha256:
                told = f"the bytes have SHA-256 {partial.sha256}, promised was {sha256}"
                partial.restart()
                raise BrokenDownload(f"{shown(url)}: {told}")

    async def _fill(self, partial: Partial, url: str, size: int, sha256: str, token: str) -> None:
        headers = _authorization(token)
        if partial.length:
            headers |= {"Range": f"bytes={partial.length}-", "If-Range": f'"{sha256}"'}
        timeout = _timeout(STALL_TIMEOUT_SECONDS)
        with _translated(url):
            async with self._client.stream("GET", url, headers=headers, timeout=timeout) as answer:
                if answer.status_code == TOO_FAR:
                    partial.restart()
                await _refuse_errors(url, answer)
                if not _continues(answer, partial.length):
                    partial.restart()
                await _copy(answer, partial, size)

    async def _exchange(
        self, method: str, url: str, timeout_seconds: float, **options: Any
    ) -> Reply:
        with _translated(url):
            async with (
                asyncio.timeout(timeout_seconds),
                self._client.stream(
                    method, url, timeout=_timeout(timeout_seconds), **options
                ) as response,
            ):
                await _refuse_errors(url, response)
                body = await _bounded_body(response)
                return Reply(url, response.status_code, response.headers, body)


def _timeout(read_seconds: float | None) -> "httpx.Timeout":
    import httpx

    return httpx.Timeout(CONNECT_TIMEOUT_SECONDS, read=read_seconds)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the library's errors into ours, cause kept."""
    import httpx

    _refuse_port(url)
    try:
        yield
    except TimeoutError as error:
        raise Unreachable(f"{shown(url)} did not answer in time") from error
    except httpx.TimeoutException as error:
        raise Unreachable(f"{shown(url)}: {_words(error)}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"{shown(url)} is out of reach: {_words(error)}") from error
    except EventTooLong as error:
        raise BadAnswer(f"{shown(url)}: {error}") from error


def _refuse_port(url: str) -> None:
    """The library lets one beyond 65535 pass, and trips over it later."""
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise Unreachable(f"{shown(url)} is no address: {error}") from error


def _words(error: Exception) -> str:
    """The error's kind in words, and its text where it has one."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return f"{kind} ({error})" if str(error) else kind


async def _refuse_errors(url: str, response: "httpx.Response") -> None:
    if response.is_success:
        return
    try:
        problem = Problem.model_validate_json(await _bounded_body(response))
    except (ValidationError, BadAnswer):
        problem = Problem()
    raise BadStatus(url, response.status_code, problem, response.headers.get("Retry-After", ""))


def _raw(response: "httpx.Response") -> AsyncIterator[bytes]:
    """The body as it travels: a few compressed bytes could become any number of others."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        url = shown(str(response.url))
        raise BadAnswer(f"{url}: the answer is encoded as {encoding!r}, which was not asked for")
    return response.aiter_raw()


async def _bounded_body(response: "httpx.Response") -> bytes:
    body = bytearray()
    async for piece in _raw(response):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise BadAnswer(
                f"{shown(str(response.url))}: the answer is longer than {MAX_ANSWER_BYTES} bytes"
            )
    return bytes(body)


async def _copy(response: "httpx.Response", partial: Partial, size: int) -> None:
    since, length = time.monotonic(), partial.length
    async for piece in _raw(response):
        seconds = time.monotonic() - since
        if seconds > STALL_TIMEOUT_SECONDS:
            if partial.length - length < seconds * LEAST_BYTES_PER_SECOND:
                told = f"slower than {LEAST_BYTES_PER_SECOND} bytes a second"
                raise Unreachable(f"{shown(str(response.url))}: {told}")
            since, length = time.monotonic(), partial.length
        if partial.length + len(piece) > size:
            partial.restart()
            url = shown(str(response.url))
            raise BrokenDownload(f"{url}: more than the promised {size} bytes")
        partial.add(piece)


async def _parsed(url: str, response: "httpx.Response") -> AsyncIterator[ServerSentEvent]:
    parser = EventParser()
    with _translated(url):
        async for piece in _raw(response):
            for event in parser.feed(piece):
                yield event


def _continues(response: "httpx.Response", length: int) -> bool:
    """Whether an answer goes on where `length` bytes end."""
    place = response.headers.get("Content-Range", "")
    return response.status_code == RESUMED and place.startswith(f"bytes {length}-")


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
