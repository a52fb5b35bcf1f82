"""
Which processes hold a listening socket: as the kernel tells in /proc, for one's own processes.

See https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
"""

import re
from collections.abc import Iterable
from pathlib import Path

from cd4sources.disk import pointed

_LISTENING = "0A"
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
    if address.startswith("/"):
        rows = (line.split(maxsplit=7) for line in _lines(_UNIX_TABLE))
        return {row[6] for row in rows if len(row) > 7 and row[7] == address}  # noqa: PLR2004
    port = f"{int(address.rpartition(':')[2]):04X}"
    rows = (line.split() for table in _TCP_TABLES for line in _lines(table))
    return {row[9] for row in rows if row[3] == _LISTENING and row[1].endswith(f":{port}")}


def _lines(table: Path) -> list[str]:
    """A table without its head; empty where there is none, as /proc/net/tcp6 without IPv6."""
    try:
        return table.read_text(errors="replace").splitlines()[1:]
    except FileNotFoundError:
        return []
