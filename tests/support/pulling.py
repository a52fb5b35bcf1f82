"""`directcd pull` as a process in a directory of its own, and what it has left there."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cd4sources.programs import owned
from tests.support.processes import is_alive
from tests.support.pulled import LIBRARY, Modules
from tests.support.waiting import DEADLINE_SECONDS, eventually

DIRECTCD = (sys.executable, "-m", "directcd")
QUICK = ("-t", "0.3", "--settle", "0.1")


@dataclass(frozen=True)
class Place:
    """A directory to pull in, and what is pulled there."""

    path: Path
    modules: Modules
    env: dict[str, str]

    @property
    def repositories(self) -> tuple[str, ...]:
        """The options that name both repositories."""
        replaced = f"{LIBRARY}={self.modules.lib.path}"
        return ("--repo", self.modules.app.path.as_uri(), "--repo", replaced)

    def said(self) -> list[list[str]]:
        """What the programs have said, word by word: WORD LIBRARY-WORD PID ARGUMENTS…."""
        file = self.path / "said"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def words(self) -> list[str]:
        """What the programs have said without the rest."""
        return [" ".join(line[:2]) for line in self.said()]

    def living(self) -> list[str]:
        """What those have said that run now."""
        return [" ".join(line[:2]) for line in self.said() if is_alive(int(line[2]))]

    def tree(self, name: str = "app") -> Path:
        """Where the main repository is checked out."""
        [found] = (self.path / ".directcd").glob(f"{name}/server/trees/*/0-app")
        return found

    async def answer(self, words: str) -> None:
        """Wait until the program that says these words runs, and no other."""
        await eventually(lambda: self.living() == [words])


@asynccontextmanager
async def running(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> AsyncIterator[Process]:
    """A command in that place; it is killed at the end, come what may."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=place.path, env=env or place.env, stdout=PIPE, stderr=PIPE, limit=2**20
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        kill_programs(place)  # they hold the pipes
        await process.communicate()


async def hears(process: Process, wanted: bytes) -> None:
    """Wait until a command has said something on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while wanted not in (line := await process.stderr.readline()):
            assert line, "it has ended without saying so"


def kill_programs(place: Place) -> None:
    """What a killed command has left, or one that was to leave it."""
    for directory in (".directcd/app", ".tmp", "tmp"):
        for pid in owned(place.path / directory / "client"):
            os.kill(pid, signal.SIGKILL)


async def output(
    place: Place, *words: str, env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=place.path, env=env or place.env, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def waiting_script(word: str) -> str:
    """A program that says `WORD _ PID` as those in Go do, and waits."""
    return f'#!/bin/sh\necho "{word} _ $$" >>said\nexec sleep 1000\n'
