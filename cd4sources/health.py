"""How a server is: whether its disk takes anything, and its hub is heard."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cd4sources.disk import MEBIBYTE
from cd4sources.hub_api import Hearing

DEAF_SECONDS = 60.0
"""A hub that restarts is back long before; until then nobody need look."""


@dataclass(frozen=True)
class Health:
    """What the health of the server that works in `data` is read off."""

    data: Path
    hearing: Hearing | None = None

    def troubles(self) -> list[str]:
        """In which ways the server does less than it should, and what to do; blocks."""
        return [*self._of_disk(), *self._of_hub()]

    def _of_disk(self) -> Iterator[str]:
        try:
            if shutil.disk_usage(self.data).free < MEBIBYTE:
                yield f"the disk of {self.data} is full: free some space"
            with tempfile.TemporaryFile(dir=self.data) as file:
                file.write(b"x")
        except OSError as error:
            yield f"{self.data} cannot be written, so nothing is built: {error.strerror}"

    def _of_hub(self) -> Iterator[str]:
        seconds = self.hearing.deaf_seconds if self.hearing else 0.0
        if seconds >= DEAF_SECONDS:
            why = (self.hearing.reason if self.hearing else "") or "see that it runs"
            yield f"the hub is not heard for {seconds:.0f} s, and pushes wait for a poll: {why}"
