"""
Which processes hold a listening socket: as the kernel tells in /proc, for one's own processes.

See https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from cd4sources.disk import pointed

_LISTENING = "0A"
_ACCEPTS = 1 << 16
_TCP_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_UNIX_TABLE = Path("/proc/net/unix")


def held_by(pids: Iterable[int]) -> set[str]:
    """The inodes of the sockets that processes have open, as far as we may see that."""
    return {inode for pid in pids for inode in _sockets(Path(f"/proc/{pid}/fd"))}


def _sockets(descriptors: Path) -> Iterable[str]:
    try:
        targets = [pointed(one) for one in descriptors.iterdir()]
    except OSError:  # it has just ended
        return []
    return [found[1] for target in targets if (found := re.fullmatch(r"socket:\[(\d+)]", target))]


def listening_on(address: str) -> set[str]:
    """The inodes of the sockets that listen on a `host:port`, whatever the host, or on a path."""
    wanted = address if address.startswith("/") else address.rpartition(":")[2]
    return {inode for inode, place in _listening() if place == wanted}


def places_of(pids: Iterable[int]) -> set[str]:
    """The ports and paths that processes listen on by themselves, as far as we may see that."""
    # What we hold, too, we have handed over: that is in nobody's way.
    held = held_by(pids) - held_by([os.getpid()])
    return {place for inode, place in _listening() if inode in held}


def _listening() -> Iterable[tuple[str, str]]:
    """Every socket that listens: its inode, and its port or path."""
    for row in (line.split() for table in _TCP_TABLES for line in _lines(table)):
        if row[3] == _LISTENING:
            yield row[9], str(int(row[1].rpartition(":")[2], 16))
    for row in (line.split(maxsplit=7) for line in _lines(_UNIX_TABLE)):
        if int(row[3], 16) & _ACCEPTS:
            yield row[6], row[7] if len(row) > 7 else ""  # noqa: PLR2004


def _lines(table: Path) -> list[str]:
    """A table without its head; empty where there is none, as /proc/net/tcp6 without IPv6."""
    try:
        return table.read_text(errors="replace").splitlines()[1:]
    except FileNotFoundError:
        return []
