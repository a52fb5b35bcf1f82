"""
Finding and killing whole process trees, also those that hide behind setsid and double forks.

Every child gets two variables that its descendants inherit: `DIRECTCD_TREE` (one random id a
command) and `DIRECTCD_OWNER` (the data directory it works for). /proc/PID/environ shows them, so a
process that left its session and its parent is still found, also by a later life of this program,
unless it also emptied its environment. Build commands do not depend on it: see `nanny`.
See https://man7.org/linux/man-pages/man5/proc_pid_environ.5.html
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TREE_VARIABLE = "DIRECTCD_TREE"
OWNER_VARIABLE = "DIRECTCD_OWNER"

_KILL_DEADLINE_SECONDS = 10.0  # only a process in uninterruptible sleep outlives SIGKILL that long
_KILL_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1
START_TIME = 19  # field 22 of /proc/PID/stat, counted from the state

ENDED = frozenset({b"Z", b"X"})
"""States of a process whose exit status alone is left."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tree:
    """One started command with all that came of it: marker, and its process group, 0 for none."""

    marker: str
    group: int


@dataclass(frozen=True)
class _Process:
    """One line of the process table."""

    pid: int
    parent: int
    group: int
    started: int
    environ: frozenset[bytes]

    @property
    def marker(self) -> str:
        """The id of the tree it belongs to, empty for none."""
        prefix = f"{TREE_VARIABLE}=".encode()
        marked = (entry for entry in self.environ if entry.startswith(prefix))
        return next(marked, b"").removeprefix(prefix).decode(errors="replace")


def marked(env: Mapping[str, str], marker: str, owner: Path) -> dict[str, str]:
    """
    An environment with the two variables.

    Args:
        env: The rest of it.
        marker: The tree's id.
        owner: The data directory it works for.
    """
    return {**env, TREE_VARIABLE: marker, OWNER_VARIABLE: owner_of(owner)}


async def kill_tree(marker: str, group: int) -> None:
    """
    SIGKILL a command's whole tree, again and again until none of it is left.

    Args:
        marker: The id that `DIRECTCD_TREE` of the command has.
        group: The command's process, leader of its own group; 0 when its exit status was taken.
    """
    await _kill_until_gone(TREE_VARIABLE, marker, group)


async def reap_leftovers(data: Path) -> None:
    """
    SIGKILL what an earlier life of this program left running for a data directory.

    Args:
        data: The directory in `DIRECTCD_OWNER`.
    """
    left = await asyncio.to_thread(owned_by, data)
    if left:
        logger.warning("leftover processes killed", extra={"data": str(data), "pids": sorted(left)})
    await _kill_until_gone(OWNER_VARIABLE, owner_of(data), 0)


def owner_of(data: Path) -> str:
    """The value of `DIRECTCD_OWNER` for a data directory."""
    return str(data.resolve())


def owned_by(data: Path) -> frozenset[int]:
    """The living processes, other than this one, that work for a data directory."""
    return _members(OWNER_VARIABLE, owner_of(data), 0)


def members_of(tree: Tree) -> frozenset[int]:
    """The living processes of a tree."""
    return _members(TREE_VARIABLE, tree.marker, tree.group)


def environments_of(data: Path, variable: str) -> frozenset[str]:
    """What a variable says in the living processes, other than this one, that work for `data`."""
    owner, prefix = f"{OWNER_VARIABLE}={owner_of(data)}".encode(), f"{variable}=".encode()
    theirs = (p.environ for p in _table() if owner in p.environ and p.pid != os.getpid())
    values = (entry for environ in theirs for entry in environ if entry.startswith(prefix))
    return frozenset(os.fsdecode(value.removeprefix(prefix)) for value in values)


def trees_of(data: Path) -> list[Tree]:
    """The living trees that work for a data directory; each with its oldest process's group."""
    wanted = f"{OWNER_VARIABLE}={owner_of(data)}".encode()
    owned = [process for process in _table() if wanted in process.environ and process.marker]
    owned.sort(key=lambda process: (process.started, process.pid), reverse=True)
    oldest = {process.marker: process.group for process in owned if process.pid != os.getpid()}
    return [Tree(marker, group) for marker, group in oldest.items()]


async def stop_tree(tree: Tree, stop_signal: signal.Signals, timeout_seconds: float) -> bool:
    """
    Ask a tree to end, then end it: SIGKILL for what is left of it, wherever it hides.

    Args:
        tree: The tree; its process group gets the signal.
        stop_signal: The signal that asks.
        timeout_seconds: The longest wait for that group to end by itself.

    Returns:
        Whether the group ended by itself.
    """
    _signal_group(tree.group, stop_signal)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            await _group_ended(tree.group)
    # Once the group is gone its number may be another's: then the marker alone tells.
    lives = await asyncio.to_thread(_group_lives, tree.group)
    if lives:
        keys = {"pid": tree.group, "signal": stop_signal.name, "seconds": timeout_seconds}
        logger.warning("did not end in time, killed", extra=keys)
    await kill_tree(tree.marker, tree.group if lives else 0)
    return not lives


async def _group_ended(group: int) -> None:
    pause_seconds = _KILL_PAUSE_SECONDS
    while await asyncio.to_thread(_group_lives, group):
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def _group_lives(group: int) -> bool:
    """Whether a process group has a process that is more than a zombie."""
    if not group:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return any(process.group == group for process in _table())


def _signal_group(group: int, signal_to_send: signal.Signals) -> None:
    if group:  # 0 would be our own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal_to_send)


async def _kill_until_gone(variable: str, value: str, group: int) -> None:
    try:
        async with asyncio.timeout(_KILL_DEADLINE_SECONDS):
            while members := await asyncio.to_thread(_members, variable, value, group):
                _kill(members)
                await asyncio.sleep(_KILL_PAUSE_SECONDS)
    except TimeoutError:
        logger.exception("processes survive SIGKILL", extra={"pids": sorted(members)})


def _kill(pids: frozenset[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _members(variable: str, value: str, group: int) -> frozenset[int]:
    """Processes with the variable or in the group, and all their descendants."""
    wanted = f"{variable}={value}".encode()
    table = [process for process in _table() if process.pid != os.getpid()]
    found = {p.pid for p in table if wanted in p.environ or (group and p.group == group)}
    while more := {p.pid for p in table if p.parent in found} - found:
        found |= more
    return frozenset(found)


def stat_fields(entry: Path) -> list[bytes]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        # The command's name stands in parentheses and may hold anything: count from the last one.
        return (entry / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _table() -> Iterator[_Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := _read(entry)):
            yield process


def _read(entry: Path) -> _Process | None:
    """A process, or None when it is gone or a zombie."""
    fields = stat_fields(entry)
    if not fields or fields[0] in ENDED:
        return None
    parent, group, started = (int(fields[index]) for index in (1, 2, START_TIME))
    return _Process(int(entry.name), parent, group, started, _environ(entry))


def _environ(entry: Path) -> frozenset[bytes]:
    """Empty when it may not be read: then group and parent still tell whose a process is."""
    try:
        return frozenset((entry / "environ").read_bytes().split(b"\0"))
    except OSError:
        return frozenset()
