"""A process to be killed: runs a script (of argv, behind its directory), and keeps the nanny."""

import asyncio
import os
import sys
from pathlib import Path

from cd4sources.running.commands import Command, run
from cd4sources.running.nursing import Nanny


async def _build(place: Path, script: str) -> None:
    async with Nanny(place) as nanny:
        await run(
            Command(
                argv=("sh", "-c", script),
                label="script",
                cwd=place,
                env={"PATH": os.environ["PATH"]},
                owner=place,
                timeout_seconds=60,
                nanny=nanny,
            )
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_build(Path(sys.argv[1]), sys.argv[2]))
