"""
HTTP with one forge's API: its token, its errors as ours, and no more than it allows.

The one module of the hub that knows this library; it is loaded with the first request. Proxies of
the environment are used: a forge may only be reached through one. A redirect is followed where the
same server is asked again (a renamed repository), and nowhere else: the token would go with it.
"""

import asyncio
import logging
import sys
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin, urlsplit

import msgspec

from hub.forges.errors import ForgeAway, ForgeError, ForgeRefused, RateLimited
from hub.forges.rates import LIMITED, Budget
from hub.keeping import REDACTED

if TYPE_CHECKING:
    import httpx

# The library loads its own command line if it can: 4 MB for nothing.
cast("dict[str, object]", sys.modules).setdefault("httpx._main", None)

REQUEST_SECONDS = 15.0
MOST_SILENCES = 4  # one after the other, until others are not asked for PATIENCE_SECONDS
PATIENCE_SECONDS = 5.0
AT_ONCE = 4  # requests to one API; GitHub asks for few: https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api
MOST_BYTES = 8 * 1024 * 1024  # of an answer; a page of a hundred deliveries has 40 KB
MOST_PAGES = 100
REMEMBERED = 256  # answers, for If-None-Match
MOST_ERRORS = 5  # of which it tells
SAID = 300  # characters of a forge's own sentence
_MOVED = frozenset({301, 302, 307, 308})
_TAKEN = range(200, 300)

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer that is no refusal.

    Attributes:
        document: its JSON; None when there is none.
        next_url: where the next page is, "" when this is the last.
    """

    document: Any
    next_url: str = ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request; `path` is below the API's address, `headers` are its own."""

    method: str
    path: str
    body: bytes
    headers: Headers
    hidden: str = field(default="", repr=False)


class ForgeHttp:
    """The API below one address; close it when done."""

    def __init__(
        self, url: str, headers: Callable[[], Headers], *, clock: Callable[[], float] = time.time
    ) -> None:
        """
        Args:
            url: of the API, without a slash at its end.
            headers: what each request carries, the token among it; it may raise ForgeError.
            clock: Unix seconds.
        """
        self._url = url
        self._headers = headers
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._budget = Budget(clock)
        self._tags: dict[str, tuple[str, Reply]] = {}
        self._silence = 0
        self._silent_since = 0.0

    @cached_property
    def _client(self) -> "httpx.AsyncClient":
        import httpx

        # These loggers print whole URLs.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        own = {
            "user-agent": "directcd-hub",
            "accept": "application/json",
            "accept-encoding": "identity",  # some kilobytes could become gigabytes
        }
        return httpx.AsyncClient(timeout=REQUEST_SECONDS, headers=own)

    async def get(self, path: str) -> Reply:
        """
        Ask for something; what has not changed since is not sent again.

        Raises:
            ForgeError: it was not told.
        """
        known = self._tags.get(path)
        headers = {"if-none-match": known[0]} if known else {}
        asking = _Asking("GET", path, b"", headers)
        answer = await self._in_turn(asking)
        if known and answer.status == HTTPStatus.NOT_MODIFIED:
            return known[1]
        self._refuse(answer, asking)
        reply = Reply(answer.document(), answer.next_url)
        if etag := answer.headers.get("etag", ""):
            self._tags[path] = etag, reply
            while len(self._tags) > REMEMBERED:
                del self._tags[next(iter(self._tags))]
        return reply

    async def pages(self, path: str) -> AsyncIterator[list[Any]]:
        """Ask for a list, page after page. Raises ForgeError."""
        for _ in range(MOST_PAGES):
            reply = await self.get(path)
            if not isinstance(reply.document, list):
                raise ForgeRefused(f"{self._host} answers in another form than its API", _API_URL)
            yield reply.document
            if not reply.next_url:
                return
            path = self._below(reply.next_url)
        raise ForgeRefused(f"{self._host} has more than {MOST_PAGES} pages of that", _PAGES)

    async def send(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        hidden: str = "",
    ) -> Any:
        """
        Change something; the JSON of the answer.

        Args:
            method: of HTTP.
            path: below the API's address.
            document: what is sent.
            hidden: what of it no error may repeat, whatever the forge says.

        Raises:
            ForgeError: it was not done, or not known to be.
        """
        body = b"" if document is None else msgspec.json.encode(document)
        headers = {"content-type": "application/json"} if body else {}
        asking = _Asking(method, path, body, headers, hidden)
        answer = await self._in_turn(asking)
        self._refuse(answer, asking)
        return answer.document()

    async def fetch(self, method: str, path: str, headers: Headers, body: bytes) -> bytes:
        """
        Exchange something that is no JSON.

        Raises:
            ForgeError: there is no answer, or it is a refusal.
        """
        asking = _Asking(method, path, body, headers)
        answer = await self._in_turn(asking)
        self._refuse(answer, asking)
        return answer.body

    async def delete(self, path: str) -> None:
        """Delete what is at a path; nothing there is no error. Raises ForgeError."""
        try:
            await self.send("DELETE", path)
        except ForgeRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def close(self) -> None:
        """Close every connection."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def _in_turn(self, asking: _Asking) -> "_Answer":
        async with self._turn:
            self._budget.check(self._host)
            self._refuse_silent()
            answer = await self._asked(asking)
            if answer.status in _MOVED:
                elsewhere = self._below(answer.headers.get("location", ""))
                answer = await self._asked(replace(asking, path=elsewhere))
        self._budget.take_note(answer.status, answer.headers)
        return answer

    async def _asked(self, asking: _Asking) -> "_Answer":
        import httpx

        url, headers = self._url + asking.path, {**self._headers(), **asking.headers}
        request = self._client.stream(
            asking.method, url, headers=headers, content=asking.body or None
        )
        try:
            async with asyncio.timeout(REQUEST_SECONDS), request as got:
                next_url = got.links.get("next", {}).get("url", "")
                answer = _Answer(got.status_code, got.headers, next_url, await _body(got))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            self._silence += 1
            self._silent_since = time.monotonic()
            raise self._away(f"{type(error).__name__}: {error}"[:SAID]) from error
        self._silence = 0
        return answer

    def _refuse_silent(self) -> None:
        """Whoever asks for much does not wait for each of it: the forge is away, and not slow."""
        is_recent = time.monotonic() - self._silent_since < PATIENCE_SECONDS
        if self._silence >= MOST_SILENCES and is_recent:
            raise self._away("it has not answered for a while")

    def _refuse(self, answer: "_Answer", asking: _Asking) -> None:
        status = answer.status
        if status in _TAKEN:
            return
        what = f"{asking.method} {asking.path.partition('?')[0]}"
        said = f"{self._host} answered {status} to {what}{self._sentence(answer, asking)}"
        if status in LIMITED and (until := self._budget.until):
            raise RateLimited(said, until)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ForgeAway(said, "nothing to do: it is tried again")
        raise ForgeRefused(said, _STEPS.get(status, "see the forge's own words"), status)

    def _sentence(self, answer: "_Answer", asking: _Asking) -> str:
        """What the forge said about it; some repeat what they were sent."""
        login = self._headers().get("authorization", "").rpartition(" ")[2]
        said = answer.sentence()
        for secret in filter(None, (login, _password(login), asking.hidden)):
            said = said.replace(secret, REDACTED)
        return said

    def _away(self, reason: str) -> ForgeError:
        step = "see that this machine reaches it; the hub tries again"
        return ForgeAway(f"{self._host} does not answer ({reason})", step)

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc.rpartition("@")[2]

    def _below(self, url: str) -> str:
        # Below the same address, or the token would be sent to somebody else.
        try:
            whole = urljoin(f"{self._url}/", url) if url else ""
        except ValueError:
            whole = ""
        if not whole.startswith(f"{self._url}/"):
            raise ForgeRefused(
                f"{self._host} sends its callers elsewhere",
                "compare api_url with the address that the forge itself names (its root URL)",
            )
        return whole.removeprefix(self._url)


_API_URL = "see that api_url is that of the forge's API, and no page of it"
_PAGES = "remove webhooks that nobody needs, or ask less of it"
_STEPS = {
    401: "give it a token that is valid: api_token_file",
    403: "give the token the scope for this, and its owner the right",
    404: "see that the name is right and that the token may see it: forges say 404 to both",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Headers
    next_url: str
    body: bytes

    def document(self) -> Any:
        """Its JSON; None when it is none."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def sentence(self) -> str:
        """What the forge said about it, on one line."""
        document = self.document()
        if not isinstance(document, dict):
            return ""
        said = [str(document[name]) for name in ("message", "error") if document.get(name)]
        errors = document.get("errors")
        said += [_error_of(one) for one in errors[:MOST_ERRORS]] if isinstance(errors, list) else []
        text = "".join(one if one.isprintable() else " " for one in "; ".join(said))
        return f": {text[:SAID]}" if text else ""


def _password(login: str) -> str:
    """The password in a Basic login; "" when it is none."""
    try:
        return b64decode(login, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


async def _body(answer: "httpx.Response") -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("the answer is compressed, though nobody asked for that")
    read = bytearray()
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) > MOST_BYTES:
            raise ValueError("the answer is too long")
    return bytes(read)


def _error_of(error: Any) -> str:
    return str(error.get("message", "")) if isinstance(error, dict) else str(error)
