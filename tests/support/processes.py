"""Processes that try to stay, and whether they did."""

import sys
from pathlib import Path

_DAEMON = """\
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
path = sys.argv[1]
with open(path + ".part", "w") as file: file.write(str(os.getpid()))
os.rename(path + ".part", path)
time.sleep(300)
"""


def daemon_command(pid_file: Path) -> str:
    """A shell command that leaves a double-forked setsid child behind, its pid in a file."""
    return f"{sys.executable} -c '{_DAEMON}' {pid_file}"


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and more than a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
