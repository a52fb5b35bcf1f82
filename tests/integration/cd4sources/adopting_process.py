"""A process that adopts orphans: it leaves two, ends one, starts commands; then tells in JSON."""

import asyncio
import json
import os
import sys
from pathlib import Path

from cd4sources.running import reaping
from tests.support.waiting import eventually

ENDED = "import os, sys; os.fork() and os._exit(0); os.setsid(); sys.exit()"


async def _tell(daemon: str, pid_file: Path) -> None:
    async with reaping.adopting():
        await _run("sh", "-c", f"env -i {daemon}")
        await eventually(pid_file.exists)
        parent = _parent(pid_file)
        await _run(sys.executable, "-c", ENDED)
        statuses = [await _run("sh", "-c", f"exit {number}") for number in range(20)]
        await eventually(lambda: not reaping._children(zombies=True))
    told = {"adopted": parent == os.getpid(), "statuses": statuses}
    sys.stdout.write(json.dumps(told))


def _parent(pid_file: Path) -> int:
    stat = Path(f"/proc/{pid_file.read_text()}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


async def _run(*words: str) -> int:
    process = await asyncio.create_subprocess_exec(*words)
    return await process.wait()


if __name__ == "__main__":
    reaping.GRACE_SECONDS = 0.1
    asyncio.run(_tell(sys.argv[1], Path(sys.argv[2])))
