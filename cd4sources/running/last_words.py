"""
Where a program's last words are to be found, and what they are when they went to a file.

A program writes to the standard error that directcd was given; nothing of ours stands between, for
a pipe to us would block or kill the program once we are gone. So its words are with whoever started
directcd: this says where, for somebody who reads of a crash elsewhere.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cd4sources.redacting import redacted

MOST_CHARACTERS = 200
"""Of the line that is quoted."""

_TAIL_BYTES = 64 * 1024

_CONTAINERS = {"/.dockerenv": "docker logs", "/run/.containerenv": "podman logs"}
"""Files that are in every container of these, and what reads its log."""

_FIRST = Path("/proc/1/fd/2")
"""Standard error of a container's first process, which the container's log is made of."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OURS = re.compile(r'(\{"time": ")?[\d-]{10}T[\d:]{8}\.\d{3}\+00:00(", "level": "| [a-z]+ )')
"""Lines of directcd's own, which go to the same place."""

_ERROR = re.compile(
    r"(panic|fatal error): |thread '.*' panicked at |Exception in thread |"
    r"(Uncaught )?([A-Za-z_][\w.]*)?(Error|Exception)\b"
)
"""How runtimes begin the line that says why they end; in some of them a stack stands below it."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is written to standard error: a descriptor of ours, and its file's size before."""

    descriptor: int
    begin: int

    def of(self, pid: int) -> str:
        """Whose they are, where they are, and the last of them if that can be read."""
        told = f"pid {pid}, which wrote to {place(self.descriptor, pid)}"
        said = last_line(self.descriptor, self.begin)
        return f"({told}, at last: {said})" if said else f"({told})"


def from_now_on(descriptor: int) -> Words:
    """The words of a program that is about to be started; never raises."""
    try:
        return Words(descriptor, os.fstat(descriptor).st_size)
    except OSError:
        return Words(descriptor, 0)


def place(descriptor: int, pid: int) -> str:
    """
    Where a process writes to that has inherited a descriptor of ours; never raises.

    What systemd connects to its journal it names in JOURNAL_STREAM, as device and inode:
    https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#%24JOURNAL_STREAM
    """
    try:
        status, target = os.fstat(descriptor), _opened(descriptor).readlink()
    except OSError:
        return "nowhere: standard error is closed"
    if stat.S_ISREG(status.st_mode):
        return _printable(str(target))
    if os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
        return f"the journal: journalctl _PID={pid}"
    if _is_containers(status) and (command := _container_log()):
        return f"the container's log: {command}"
    if os.isatty(descriptor):
        return "the terminal of directcd"
    return f"directcd's standard error, which is {_printable(str(target))}"


def _is_containers(status: os.stat_result) -> bool:
    """Whether it is the pipe that the container's first process was given, and not one inside."""
    try:
        first = _FIRST.stat()
    except OSError:
        return False
    return stat.S_ISFIFO(status.st_mode) and os.path.samestat(first, status)


def _container_log() -> str:
    """The command that shows the log of the container we are in, empty outside of one."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubectl logs"
    return next((command for mark, command in _CONTAINERS.items() if Path(mark).exists()), "")


def last_line(descriptor: int, begin: int) -> str:
    """
    The last line that names an error, or else the last one, of what a file got; never raises.

    Args:
        descriptor: Open for the file, if only for writing.
        begin: The file's size before, in bytes.

    Returns:
        Printable characters, user and password of URLs masked; empty when there is no such line,
        it is no file, or we may not read it.
    """
    lines = [_printable(line) for line in _added(descriptor, begin).splitlines()]
    said = [line for line in lines if line and not _OURS.match(line)]
    errors = [line for line in said if _ERROR.match(line)]
    line = redacted((errors or said or [""])[-1])
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"


def _added(descriptor: int, begin: int) -> str:
    """The end of what a file got since it had a size."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        # Opened anew: ours may be for writing alone, and its position is the program's, too.
        with _opened(descriptor).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = begin if begin <= size else 0  # emptied meanwhile
            file.seek(max(start, size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _opened(descriptor: int) -> Path:
    """What it was opened for, also when that has another name now, or none."""
    return Path(f"/proc/self/fd/{descriptor}")


def _printable(text: str) -> str:
    seen = _COLOUR.sub("", text)
    return "".join(char if char.isprintable() else " " for char in seen).strip()
