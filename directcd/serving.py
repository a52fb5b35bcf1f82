"""
Serving an ASGI application as one part of a process, which starts loudly and drains quickly.

Listening sockets and lifespans are handled here and not by uvicorn, because one process may hold
several applications.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

import directcd
from cd4sources.settings import MAX_PORT
from directcd.deadlines import PunctualProtocol, hang_up_on_late
from directcd.life import Life
from directcd.process import StartError

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 10  # requests that are still running after this are cut off
# What a connection may send ahead, and so what is read at once. With the kernel's own choice a
# hundred large bodies kept everybody else waiting; 25 MB still take 10 s over 50 ms of distance.
RECEIVE_BYTES = 128 * 1024
# At the end: for what those who are connected have sent already, and so many times as long for what
# has been begun, or was not even begun on a new connection.
LAST_REQUEST_SECONDS = 0.1
LAST_REQUEST_LOOKS = 10
BACKLOG = 2048  # connections the kernel holds while the process is busy


def tell_version(app: FastAPI) -> None:
    """Answer `GET /version`: hubs, servers and clients should be of the same one."""

    @app.get("/version", tags=["health"])
    async def version() -> dict[str, str]:
        """What is installed."""
        return {"name": "directcd", "version": directcd.__version__}


async def serve(app: FastAPI, listen: str | socket.socket, name: str, life: Life) -> None:
    """
    Serve an application until its life is to stop; it is ready when it can be asked.

    The application's `state.stopping` is set first, so that open polls and streams end at once.

    Args:
        app: The application.
        listen: `host:port`, or a socket that somebody else listens on, too: then who was not
            answered at the end is left to whoever listens there next.
        name: What it is called in the log.
        life: Its part's.

    Raises:
        StartError: the address cannot be used.
        Exception: whatever the application's lifespan raises.
    """
    is_shared = isinstance(listen, socket.socket)
    with _tuned(listen) if isinstance(listen, socket.socket) else bind(listen) as listener:
        async with app.router.lifespan_context(app), asyncio.TaskGroup() as tasks:
            server = _Server(_config(app), life.ready)
            ours = None if is_shared else listener
            drain = tasks.create_task(_drain(app, server, life, ours), name=f"drain {name}")
            connections = server.server_state.connections
            late = tasks.create_task(hang_up_on_late(connections), name=f"deadlines {name}")
            is_guarded = getattr(app.state, "is_guarded", False)
            _announce(name, listener, is_guarded=is_guarded, is_shared=is_shared)
            await server.serve([listener])
            drain.cancel()
            late.cancel()
    logger.info("stopped", extra={"service": name})


def _announce(
    name: str, listener: socket.socket, *, is_guarded: bool, is_shared: bool = False
) -> None:
    keys = {"service": name, "address": address(listener)}
    passed = {"passed_by": "service manager"} if is_shared else {}
    logger.info("listening", extra=keys | passed)
    if is_guarded:
        return
    if ip_address(listener.getsockname()[0]).is_loopback:
        logger.info("the API is open to everybody on this machine", extra=keys)
    else:
        logger.warning("the API has no access control: let a proxy guard this address", extra=keys)


def bind(listen: str) -> socket.socket:
    """
    A listening socket for `host:port`, `[v6]:port` or `:port` (every address).

    Raises:
        StartError: the address is malformed, in use or not ours.
    """
    host, port = host_and_port(listen)
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=not host
        )
    except (OSError, ValueError) as error:
        raise StartError(f"cannot listen on {listen}: {error}{_step(error)}") from error
    return _tuned(listener)


def _step(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "; does another directcd run? `ss -ltnp` shows who listens; or change `listen`"
    return ""


def _tuned(listener: socket.socket) -> socket.socket:
    # Accepted connections inherit it. asyncio sets it only where the protocol is named, and an
    # answer in two writes would wait 40 ms for the peer's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    return listener


def host_and_port(listen: str) -> tuple[str, int]:
    """
    The parts of `host:port`, without brackets; the host is empty for every address.

    Raises:
        StartError: it is malformed.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise StartError(f"listen = {listen!r} is no address; write host:port, e.g. 127.0.0.1:8080")
    if int(port) > MAX_PORT:
        raise StartError(f"listen = {listen!r} has no such port; the highest is {MAX_PORT}")
    return host.strip("[]"), int(port)


def address(listener: socket.socket) -> str:
    """The listener's address as `host:port`."""
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has others to stop, too."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PunctualProtocol,
        lifespan="off",  # entered above, where its errors can be seen
        log_config=None,
        access_log=False,  # one canonical line a delivery instead; it doubles the cost of a request
        server_header=False,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


async def _drain(
    app: FastAPI, server: uvicorn.Server, life: Life, listener: socket.socket | None
) -> None:
    await life.stopping.wait()
    app.state.stopping.set()
    waiting = _last(listener) if listener else []
    for listening in server.servers:
        listening.close()
    await _take(server, waiting)
    await _last_requests(server)
    server.should_exit = True


async def _last_requests(server: uvicorn.Server) -> None:
    for _ in range(LAST_REQUEST_LOOKS):
        await asyncio.sleep(LAST_REQUEST_SECONDS)
        # All connections are of the one class.
        if not any(one.is_expecting for one in server.server_state.connections):  # type: ignore[union-attr]
            return


def _last(listener: socket.socket) -> list[socket.socket]:
    # Who was connected by the kernel, and not yet accepted, would be reset when the socket closes.
    waiting = []
    listener.setblocking(False)  # noqa: FBT003 - the only way to say it
    with suppress(BlockingIOError):
        while True:
            waiting.append(listener.accept()[0])
    return waiting


async def _take(server: uvicorn.Server, waiting: Iterable[socket.socket]) -> None:
    for connection in waiting:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: PunctualProtocol(
                config=server.config,
                server_state=server.server_state,
                app_state=server.lifespan.state,
            ),
            connection,
        )
