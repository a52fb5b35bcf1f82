"""A process that runs one swept command, to be killed: working directory, then the script."""

import asyncio
import os
import sys
from pathlib import Path

from cd4sources.commands import Command, run

if __name__ == "__main__":
    asyncio.run(
        run(
            Command(
                argv=("sh", "-c", sys.argv[2]),
                label="script",
                cwd=Path(sys.argv[1]),
                env={"PATH": os.environ["PATH"]},
                owner=Path(sys.argv[1]),
                timeout_seconds=60,
                sweep=True,
            )
        )
    )
