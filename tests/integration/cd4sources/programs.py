"""Small programs to deliver: each writes what happens to it into a journal."""

from pathlib import Path

from tests.support.processes import is_alive


def program(journal: Path, body: str = "", *, on_stop: str = "exit 0") -> str:
    """
    Return a shell program that journals its start and stop and otherwise waits.

    Args:
        journal: Where it writes `start VERSION PID` and `stop VERSION PID`.
        body: Commands between its start and its waiting.
        on_stop: What it does, after journalling, when asked to stop.
    """
    return f"""#!/bin/sh
trap 'echo "stop $DIRECTCD_VERSION $$" >> {journal}; {on_stop}' TERM
echo "start $DIRECTCD_VERSION $$" >> {journal}
{body}
while :; do sleep 5 & wait; done
"""


def executable(path: Path, text: str) -> Path:
    """Write a program that may be executed."""
    path.write_text(text)
    path.chmod(0o755)
    return path


class Journal:
    """What the programs have written so far."""

    def __init__(self, path: Path) -> None:
        """Read from a file that need not exist yet."""
        self.path = path

    def lines(self) -> list[str]:
        """Return the entries without the pids."""
        return [line.rpartition(" ")[0] for line in self._raw()]

    def pids(self, prefix: str) -> list[int]:
        """Return the pids of the entries that begin so."""
        return [int(line.split()[-1]) for line in self._raw() if line.startswith(prefix)]

    def add(self, entry: str) -> None:
        """Write an entry of the test's own."""
        with self.path.open("a") as file:
            file.write(f"{entry} 0\n")

    def _raw(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


def owned(data: Path) -> list[int]:
    """Return the living processes that work for a data directory."""
    wanted = f"DIRECTCD_OWNER={data.resolve()}".encode()
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if is_alive(pid) and wanted in _environ(pid)]


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
