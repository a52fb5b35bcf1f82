"""
The listening sockets that a client keeps for its program, from one version to the next.

Connections that come while nobody accepts wait in the kernel, so a swap loses none. The sockets are
blocking, as those of systemd are by default, and stay as the programs set them: the flag is shared
by all who hold the socket, and the old version may be using it beside the new one.
"""

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cd4sources.delivery import handover
from cd4sources.delivery.holders import held_by, listening_on
from cd4sources.delivery.programs import stop_all
from cd4sources.running.commands import owned_by
from cd4sources.settings import ClientSettings

BACKLOG = 4096
"""Connections that wait during a swap: the kernel's own limit (net.core.somaxconn)."""


class AddressUnusable(Exception):
    """An address cannot be listened on; the message says which, why and what to do."""


@dataclass(frozen=True)
class Sockets:
    """Open sockets in the settings' order, each with the name that the program learns."""

    named: tuple[tuple[str, socket.socket], ...] = ()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a program inherits."""
        return tuple(one.fileno() for _, one in self.named)

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The command that hands the sockets to a program and becomes it."""
        if not self.named:
            return tuple(argv)
        pairs = [f"{name}={one.fileno()}" for name, one in self.named]
        return (sys.executable, "-I", "-S", handover.__file__, *pairs, "--", *argv)

    def close(self) -> None:
        """Listen no longer."""
        for _, one in self.named:
            if one.family == socket.AF_UNIX:
                with contextlib.suppress(OSError):
                    Path(one.getsockname()).unlink()
            one.close()

    def let_go(self) -> None:
        """Leave them, paths and all, to the program that has inherited them."""
        for _, one in self.named:
            one.close()


@asynccontextmanager
async def listening(settings: ClientSettings) -> AsyncIterator[Sockets]:
    """
    Listen on the settings' `sockets` while the context lasts.

    A program that an earlier life of this client left running still holds its sockets, and they
    cannot be had back from it: then it is stopped first. Not when somebody else has one of them,
    for then that would be in vain.

    Raises:
        AddressUnusable: Somebody else has one of them, or it is not ours to have.
    """
    try:
        sockets = listen(settings.sockets)
    except AddressUnusable:
        if not await asyncio.to_thread(_are_ours, settings):
            raise
        await stop_all(settings)
        sockets = listen(settings.sockets)
    try:
        yield sockets
    finally:
        sockets.close()


def _are_ours(settings: ClientSettings) -> bool:
    """Whether each address can be had, or is held by what an earlier life left running."""
    ours = held_by(owned_by(settings.data))
    return all(_is_free(one) or ours & listening_on(one) for one in settings.sockets)


def _is_free(address: str) -> bool:
    try:
        listen([address]).close()
    except AddressUnusable:
        return False
    return True


def listen(addresses: Sequence[str]) -> Sockets:
    """
    Listen on `host:port` or a path each; on all or on none.

    Raises:
        AddressUnusable: One of them cannot be had.
    """
    named: list[tuple[str, socket.socket]] = []
    for address in addresses:
        try:
            listener = _unix(Path(address)) if address.startswith("/") else _tcp(address)
        except OSError as error:
            Sockets(tuple(named)).close()
            raise AddressUnusable(
                f"sockets: cannot listen on {address}: {error.strerror or error}; "
                "stop what is there, or choose another"
            ) from error
        named.append((_name(address), listener))
    return Sockets(tuple(named))


def _tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)


def _unix(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Remove a socket's path when nobody listens there any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(1)
            asking.connect(str(path))
    except ConnectionRefusedError:
        path.unlink()
    except FileNotFoundError:
        return
    else:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _name(address: str) -> str:
    """What LISTEN_FDNAMES calls it: the port, or the path's last part."""
    last = address.rpartition("/" if address.startswith("/") else ":")[2]
    return re.sub(r"[^\x21-\x39\x3b-\x7e]", "_", last)[:255]
