"""
Serving an ASGI application as one part of a process, which starts loudly and drains quickly.

Listening sockets and lifespans are handled here and not by uvicorn, because one process may hold
several applications.
"""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

import directcd
from cd4sources.settings import MAX_PORT
from directcd.deadlines import PunctualProtocol, hang_up_on_late
from directcd.process import StartError

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 10  # requests that are still running after this are cut off
# What a connection may send ahead, and so what is read at once. With the kernel's own choice a
# hundred large bodies kept everybody else waiting; 25 MB still take 10 s over 50 ms of distance.
RECEIVE_BYTES = 128 * 1024
LAST_REQUEST_SECONDS = 0.1
BACKLOG = 2048  # connections the kernel holds while the process is busy


def tell_version(app: FastAPI) -> None:
    """Answer `GET /version`: hubs, servers and clients should be of the same one."""

    @app.get("/version", tags=["health"])
    async def version() -> dict[str, str]:
        """What is installed."""
        return {"name": "directcd", "version": directcd.__version__}


async def serve(app: FastAPI, listen: str, name: str, stopping: asyncio.Event) -> None:
    """
    Serve an application on `host:port` until `stopping` is set.

    The application's `state.stopping` is set first, so that open polls and streams end at once.

    Raises:
        StartError: the address cannot be used.
        Exception: whatever the application's lifespan raises.
    """
    with bind(listen) as listener:
        async with app.router.lifespan_context(app), asyncio.TaskGroup() as tasks:
            server = _Server(_config(app))
            drain = tasks.create_task(_drain(app, server, stopping, listener), name=f"drain {name}")
            connections = server.server_state.connections
            late = tasks.create_task(hang_up_on_late(connections), name=f"deadlines {name}")
            _announce(name, listener, is_guarded=getattr(app.state, "is_guarded", False))
            await server.serve([listener])
            drain.cancel()
            late.cancel()
    logger.info("stopped", extra={"service": name})


def _announce(name: str, listener: socket.socket, *, is_guarded: bool) -> None:
    keys = {"service": name, "address": address(listener)}
    logger.info("listening", extra=keys)
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
        raise StartError(f"cannot listen on {listen}: {error}") from error
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
    if not colon or not port.isdecimal() or int(port) > MAX_PORT:
        raise StartError(f"listen = {listen!r}: write host:port, e.g. 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def address(listener: socket.socket) -> str:
    """The listener's address as `host:port`."""
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the process has others to stop, too."""

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
    app: FastAPI, server: uvicorn.Server, stopping: asyncio.Event, listener: socket.socket
) -> None:
    await stopping.wait()
    app.state.stopping.set()
    await _take_last(server, listener)
    await asyncio.sleep(LAST_REQUEST_SECONDS)
    server.should_exit = True


async def _take_last(server: uvicorn.Server, listener: socket.socket) -> None:
    # Who was connected by the kernel, and not yet accepted, would be reset when the socket closes.
    waiting = []
    listener.setblocking(False)  # noqa: FBT003 - the only way to say it
    with suppress(BlockingIOError):
        while True:
            waiting.append(listener.accept()[0])
    for listening in server.servers:
        listening.close()
    listener.close()
    for connection in waiting:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: PunctualProtocol(
                config=server.config,
                server_state=server.server_state,
                app_state=server.lifespan.state,
            ),
            connection,
        )
