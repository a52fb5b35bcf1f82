"""A server that is killed with -9 in the middle of its work, and the next one on its data."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cd4sources.running.commands import owned_by
from tests.support.githttp import GitServer
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

_HANG = "test -e {gate} || {{ touch {seen}; sleep 300; }}\n"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


@asynccontextmanager
async def killed(data: Path, address: Path | str) -> AsyncIterator[None]:
    """A server process that lives until the block ends, then dies without a word."""
    argv = (sys.executable, "-m", "tests.integration.cd4sources.server_process")
    process = await asyncio.create_subprocess_exec(*argv, data, address)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("words", ["build", "artifact"])
async def test_killed_during_a_build_the_next_life_converges(
    tmp_path: Path, source: Source, words: str
) -> None:
    """What it had started is ended at once, what it had not finished is finished."""
    seen, gate, data = tmp_path / "seen", tmp_path / "gate", tmp_path / "data"
    hang = f'test "$1" != {words} || {_HANG.format(seen=seen, gate=gate)}'
    source.commit({"build.sh": hang + BUILD_SH})
    async with killed(data, source.path):
        await eventually(seen.exists)
    await eventually(lambda: not owned_by(data))  # the nanny needs no later life
    gate.touch()
    commit = source.commit({"words": "two"})
    async with serving(data, target_of("app", source.path)) as running:
        current = running.follower().offer.current
        assert current is not None
        assert current.lockset == (commit,)


async def test_killed_at_any_moment_nothing_is_stuck(tmp_path: Path, source: Source) -> None:
    """Wherever the kill strikes, the next life offers the newest commit."""
    data = tmp_path / "data"
    marks = (data / "lock", data / "mirrors", data / "trees", data / "versions" / "app")
    for number, mark in enumerate(marks):
        commit = source.commit({"words": str(number)})
        async with killed(data, source.path):
            await eventually(mark.exists)
    async with serving(data, target_of("app", source.path)) as running:
        current = running.follower().offer.current
        assert current is not None
        assert current.lockset == (commit,)
        names = [path.name for path in (data / "versions" / "app").iterdir()]
    assert not [name for name in names if name.startswith(".")]


async def test_a_git_of_an_earlier_life_does_not_go_on_beside_the_next(
    tmp_path: Path, source: Source
) -> None:
    """It waits for a remote that says nothing; whatever it would do then comes too late."""
    data, answering = tmp_path / "data", threading.Event()
    with GitServer.serving(source.path.parent) as git:
        git.on_request = answering.wait
        async with killed(data, git.url("app")):
            await eventually(lambda: git.requests)
        assert owned_by(data)
        async with serving(data):
            assert not owned_by(data)
        answering.set()
