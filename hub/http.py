"""
HTTP as a client: the one module of this package that knows which library speaks it.

It posts to strangers' URLs, so it decides by address: a host's name is resolved once, what may not
be called is dropped, and the connection is made to an address that was looked at. The `Host` header
and the name in the TLS certificate stay those of the URL. No redirect is followed, and no proxy of
the environment is used: either would call an address that nobody has looked at.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

import httpcore

from hub.endpoints import Endpoint
from hub.resolving import is_address, resolve_by_system

REQUEST_SECONDS = 10.0
"""For a whole request, from looking up the name to the answer's status."""

CONNECT_SECONDS = 3.0
"""For each of a host's addresses, so that a dead one leaves time for the next."""

ANSWER_BYTES = 4096
"""What is read of an answer's body, so that its connection can be used again. It is thrown away."""

ANSWER_SECONDS = 1.0
"""How long is waited for that: the status has been said."""

IDLE_SECONDS = 3.0
"""How long a connection is kept: less than the 5 s after which many servers close it."""

IDLE_CONNECTIONS = 64

Refusal = Callable[[str], str]
"""Why an IP address may not be called, "" when it may."""

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""A host's addresses, the best one first; raises OSError."""


class NoAnswer(Exception):
    """No answer came. The message says why; it names no URL, which may hold a secret."""


class AddressRefused(NoAnswer):
    """Nothing was sent: none of the host's addresses may be called."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: its status, and its `Retry-After` ("" without one)."""

    status: int
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was asked for: the answer's status, and the beginning of its body."""

    status: int
    body: bytes


class Poster:
    """A pool of connections that asks and posts; close it when done."""

    def __init__(self, refusal: Refusal, resolve: "Resolver | None" = None) -> None:
        """
        Args:
            refusal: which addresses may be called.
            resolve: another way to look names up than the host's own.
        """
        self._network = _Network(refusal, resolve or resolve_by_system)

    @cached_property
    def _pool(self) -> httpcore.AsyncConnectionPool:
        # Made when first needed: the certificates take some 20 ms, and most hubs have no callbacks.
        # The caller bounds what is in flight; a limit here would only be a second queue.
        return httpcore.AsyncConnectionPool(
            ssl_context=httpcore.default_ssl_context(),
            max_connections=None,
            max_keepalive_connections=IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=self._network,
        )

    async def addresses(self, endpoint: Endpoint) -> list[str]:
        """
        The addresses of an endpoint that may be called.

        Raises:
            AddressRefused: it has addresses, and none may be.
            OSError: its name is not known now.
        """
        return await self._network.addresses(endpoint.host, endpoint.port)

    async def post(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Post a body once.

        Raises:
            NoAnswer: it may or may not have arrived (AddressRefused: it has not).
        """
        async with _answering() as deadline:
            return await self._post(endpoint, headers, body, deadline)

    async def _post(
        self,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        body: bytes,
        deadline: asyncio.Timeout,
    ) -> Answer:
        fields = [("host", endpoint.authority), ("user-agent", "directcd-hub"), *headers.items()]
        async with self._pool.stream(
            "POST", _url(endpoint), headers=fields, content=body
        ) as response:
            deadline.reschedule(None)  # it has answered: what follows has a limit of its own
            retry_after = next(
                (value for name, value in response.headers if name.lower() == b"retry-after"), b""
            )
            with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await _skip_body(response)
            return Answer(response.status, retry_after.decode("latin-1")[:100])

    async def get(self, endpoint: Endpoint, headers: Mapping[str, str], most: int) -> Fetched:
        """
        Ask once, and read at most so many bytes of the answer.

        Raises:
            NoAnswer: none came, or not all that was to be read of it.
        """
        fields = [("host", endpoint.authority), ("user-agent", "directcd-hub"), *headers.items()]
        url = _url(endpoint)
        async with _answering(), self._pool.stream("GET", url, headers=fields) as response:
            return Fetched(response.status, await _beginning(response, most))

    async def close(self) -> None:
        """Close every connection."""
        if "_pool" in self.__dict__:
            await self._pool.aclose()


@asynccontextmanager
async def _answering() -> AsyncIterator[asyncio.Timeout]:
    try:
        async with asyncio.timeout(REQUEST_SECONDS) as deadline:
            yield deadline
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {REQUEST_SECONDS:.0f} s") from error
    except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
        raise NoAnswer(_reason(error)) from error
    except httpcore.ProtocolError as error:
        raise NoAnswer(f"no proper HTTP answer: {error}"[:200]) from error


def _url(endpoint: Endpoint) -> httpcore.URL:
    return httpcore.URL(
        scheme=endpoint.scheme, host=endpoint.host, port=endpoint.port, target=endpoint.target
    )


async def _beginning(response: httpcore.Response, most: int) -> bytes:
    read = bytearray()
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= most:
            break
    return bytes(read[:most])


async def _skip_body(response: httpcore.Response) -> None:
    # Read to its end, the connection can be used again; left before, it is closed.
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > ANSWER_BYTES:
            return


class _Network(httpcore.AsyncNetworkBackend):
    """Connects to addresses that may be called, and to no others."""

    def __init__(self, refusal: Refusal, resolve: Resolver) -> None:
        self._refusal = refusal
        self._resolve = resolve
        self._tcp = httpcore.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> list[str]:
        found = [host] if is_address(host) else await self._resolve(host, port)
        refusals = {address: self._refusal(address) for address in found}
        allowed = [address for address, refusal in refusals.items() if not refusal]
        if not allowed:
            raise AddressRefused(_refused(host, refusals))
        return allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: "Iterable[httpcore.SOCKET_OPTION] | None" = None,
    ) -> httpcore.AsyncNetworkStream:
        del timeout  # the caller has a deadline for the whole request
        *others, last = await self.addresses(host, port)
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._tcp.connect_tcp(
                    address, port, CONNECT_SECONDS, local_address, socket_options
                )
        return await self._tcp.connect_tcp(
            last, port, CONNECT_SECONDS, local_address, socket_options
        )


def _refused(host: str, refusals: Mapping[str, str]) -> str:
    address, refusal = next(iter(refusals.items()), (host, "no address"))
    where = "" if address == host else f"{host} is at "
    return f"{where}{address}, {refusal}, which this hub does not call"


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host's name is not known: {error.strerror}"
    cause = error.__cause__ or error.__context__
    if isinstance(error, httpcore.ConnectError) and isinstance(cause, ssl.SSLError):
        return f"TLS failed: {getattr(cause, 'verify_message', '') or cause.reason or 'no reason'}"
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "no connection: refused, or nobody there"
    return "the connection broke off before an answer came"
