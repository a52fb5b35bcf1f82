"""How far a file has come, as a bar on the terminal."""

import asyncio
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

LOOK_SECONDS = 0.1


async def shown(file: Path, name: str, size: int) -> NoReturn:
    """
    Show a file's growth until cancelled.

    Args:
        file: It need not exist yet.
        name: What stands before the bar.
        size: The bytes it will have.
    """
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(name, total=size)
        try:
            while True:
                progress.update(bar, completed=_length(file))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            progress.update(bar, completed=_length(file))


def _length(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
