"""
HTTP as a client: the one module of this package that knows which library speaks it.

    HttpError               any way in which a request can fail
    ├── Unreachable         no answer: refused, timed out, cut off
    ├── BadStatus           an answer that says no, with the server's own reason
    ├── BadAnswer           an answer that is not what was asked for
    └── BrokenDownload      bytes that are not the promised ones; nothing of them is kept
"""

import asyncio
import hashlib
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from cd4sources.sse import EventParser, EventTooLong, ServerSentEvent

CONNECT_TIMEOUT_SECONDS = 5.0
"""A host that does not even accept a connection by then is treated as away."""

REQUEST_TIMEOUT_SECONDS = 30.0
"""For a whole small request; long polls name their own."""

STALL_TIMEOUT_SECONDS = 60.0
"""A download may take long, but not pause for longer than this."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""No JSON answer of hub or server comes near; a longer one is refused before it fills memory."""

MAX_RETRY_AFTER_SECONDS = 60.0
"""A server may ask for patience, not for being forgotten."""

Params = Sequence[tuple[str, str]]
Model = TypeVar("Model", bound=BaseModel)


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


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; of all but `ask`, a successful one."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, model: type[Model]) -> Model:
        """
        Return the JSON body as a value.

        Raises:
            BadAnswer: The body is not such a value.
        """
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadAnswer(
                f"{shown(self.url)}: the answer is not a {model.__name__}: {where} {first['msg']}"
            ) from error


class Http:
    """
    A pool of connections with a deadline on everything; use it as `async with Http() as http`.

    Proxies of the environment are used, except for loopback addresses: those are this machine.
    Redirects are answers like any other, that is, errors.
    """

    def __init__(self) -> None:
        """Make the pool; nothing is connected yet."""
        # These loggers print whole URLs, and URLs may hold passwords.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")),
            headers={"User-Agent": "directcd"},
            timeout=_timeout(REQUEST_TIMEOUT_SECONDS),
        )

    async def __aenter__(self) -> Self:
        """Open the pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._client.__aexit__(kind, error, trace)

    async def get_json(
        self, url: str, params: Params = (), *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS
    ) -> Reply:
        """
        Ask for a small answer; `Reply.read` gives its value.

        Args:
            url: Without the query.
            params: The query, names may repeat.
            timeout_seconds: For the whole request; a long poll's own time-out must be shorter.

        Raises:
            Unreachable: No complete answer in time.
            BadStatus: The answer is not a success (2xx).
            BadAnswer: The answer is too long.
        """
        return await self._exchange("GET", url, timeout_seconds, params=list(params) or None)

    async def post_json(
        self, url: str, body: object, *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS
    ) -> Reply:
        """Post a JSON value; errors as for `get_json`."""
        return await self._exchange("POST", url, timeout_seconds, json=body)

    async def put_json(
        self, url: str, body: object, *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS
    ) -> Reply:
        """Put a JSON value; errors as for `get_json`."""
        return await self._exchange("PUT", url, timeout_seconds, json=body)

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        """
        Exchange bytes with whom the caller knows to talk to; any status is an answer.

        Raises:
            Unreachable: No complete answer in time.
            BadAnswer: The answer is too long.
        """
        timeout = _timeout(timeout_seconds)
        with _translated(url):
            async with (
                asyncio.timeout(timeout_seconds),
                self._client.stream(
                    method, url, headers=headers, content=body, timeout=timeout
                ) as response,
            ):
                received = await _bounded_body(response)
                return Reply(url, response.status_code, response.headers, received)

    @asynccontextmanager
    async def events(
        self, url: str, params: Params = (), *, last_event_id: str = "", silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """
        Open a stream of server-sent events; entering means that the server has accepted it.

        Args:
            url: Without the query.
            params: The query, names may repeat.
            last_event_id: Where to resume, empty for nowhere.
            silence_seconds: A stream that says nothing, not even a ping, for so long is dead.

        Yields:
            The events, until the server ends the stream.

        Raises:
            Unreachable: The stream broke or fell silent.
            BadStatus: The stream was refused.
            BadAnswer: An event is too long.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
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

    async def download(self, url: str, into: Path, *, size: int, sha256: str) -> None:
        """
        Fetch bytes into a new file, on disk and synced when this returns.

        Args:
            url: Where the bytes are.
            into: The file to write; it must not exist, and is left to the caller in any case.
            size: How many bytes there must be.
            sha256: Their digest, in hex.

        Raises:
            BrokenDownload: The bytes are not the promised ones.
            Unreachable: The transfer stalled or broke.
            BadStatus: The server refused.
        """
        with _translated(url), into.open("xb") as file:
            # The digest is of the bytes that travel: a compressed transfer would change them.
            async with self._client.stream(
                "GET",
                url,
                headers={"Accept-Encoding": "identity"},
                timeout=_timeout(STALL_TIMEOUT_SECONDS),
            ) as response:
                await _refuse_errors(url, response)
                digest = await _copy(response, file, size)
            await asyncio.to_thread(_sync, file)
        if digest != sha256:
            raise BrokenDownload(
                f"{shown(url)}: the bytes have SHA-256 {digest}, promised was {sha256}"
            )

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


def shown(url: str) -> str:
    """Return a URL that may be logged: without user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _timeout(read_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(CONNECT_TIMEOUT_SECONDS, read=read_seconds)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Turn the library's errors into ours, cause kept."""
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


def _words(error: Exception) -> str:
    """The error's kind in words, and its text where it has one."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    return f"{kind} ({error})" if str(error) else kind


async def _refuse_errors(url: str, response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        problem = Problem.model_validate_json(await _bounded_body(response))
    except (ValidationError, BadAnswer):
        problem = Problem()
    raise BadStatus(url, response.status_code, problem, response.headers.get("Retry-After", ""))


async def _bounded_body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise BadAnswer(
                f"{shown(str(response.url))}: the answer is longer than {MAX_ANSWER_BYTES} bytes"
            )
    return bytes(body)


async def _parsed(url: str, response: httpx.Response) -> AsyncIterator[ServerSentEvent]:
    parser = EventParser()
    with _translated(url):
        async for piece in response.aiter_bytes():
            for event in parser.feed(piece):
                yield event


async def _copy(response: httpx.Response, file: BinaryIO, size: int) -> str:
    """Copy a body of at most `size` bytes; return its SHA-256."""
    digest = hashlib.sha256()
    copied = 0
    async for piece in response.aiter_raw():
        copied += len(piece)
        if copied > size:
            url = shown(str(response.url))
            raise BrokenDownload(f"{url}: more than the promised {size} bytes")
        digest.update(piece)
        file.write(piece)
    return digest.hexdigest()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _retry_after_seconds(header: str) -> float:
    """Seconds of a Retry-After header, 0 when there is none; dates are not used here."""
    seconds = float(header) if re.fullmatch(r"[0-9]{1,6}", header) else 0.0
    return min(seconds, MAX_RETRY_AFTER_SECONDS)
