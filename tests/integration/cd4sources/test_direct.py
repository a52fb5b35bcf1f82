"""Direct pulling in this process: real git, real builds, real programs, no network."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cd4sources.direct.pulling import Direct
from cd4sources.locking import DataInUse
from cd4sources.reporting import Stage, StageReport
from cd4sources.settings import ClientSettings, ServerSettings
from cd4sources.targets import Target
from tests.integration.cd4sources.programs import Journal, owned, program
from tests.support.processes import is_alive
from tests.support.serving import target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

BUILD_SH = 'case "$1" in build) sh -n app;; artifact) echo app;; esac\n'


@dataclass
class Witnessed:
    """A witness that remembers."""

    begun: list[Stage] = field(default_factory=list)
    reports: list[StageReport] = field(default_factory=list)

    def began(self, target: str, stage: Stage, version: str | None) -> None:
        """Remember it."""
        self.begun.append(stage)

    def ended(self, report: StageReport) -> None:
        """Remember it."""
        self.reports.append(report)

    def results(self, stage: Stage) -> list[str]:
        """The news of one stage."""
        return [one.result for one in self.reports if one.stage == stage and one.is_news]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def app(tmp_path: Path, journal: Journal) -> Source:
    """A repository whose program journals what happens to it."""
    source = Source(tmp_path / "app")
    source.commit({"build.sh": BUILD_SH, "app": program(journal.path)})
    return source


@asynccontextmanager
async def pulling(tmp_path: Path, target: Target, **client: Any) -> AsyncIterator[Witnessed]:
    """Direct pulling that polls often; it ends as by SIGTERM."""
    server = ServerSettings(data=tmp_path / "w" / "server", poll_interval_seconds=0.1)
    values = {"data": tmp_path / "w" / "client", "settle_seconds": 0.1, **client}
    witness, stopping = Witnessed(), asyncio.Event()
    direct = Direct(server, ClientSettings(**values), target, witness=witness)
    running = asyncio.create_task(direct.run(stopping))
    try:
        yield witness
    finally:
        stopping.set()
        await running


def runs(journal: Journal) -> list[int]:
    """The programs that live, by what they have journalled."""
    return [pid for pid in journal.pids("start") if is_alive(pid)]


async def test_a_push_replaces_the_running_program(
    tmp_path: Path, app: Source, journal: Journal
) -> None:
    """The old one is stopped when the new one is healthy; at the end nothing runs."""
    async with pulling(tmp_path, target_of("app", app.path)) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
        app.commit({"app": program(journal.path, "true")})
        await eventually(lambda: witness.results("running") == ["ok", "ok"])
        await eventually(lambda: len(runs(journal)) == 1)
        first, second = journal.pids("start")
        assert journal.lines()[-1].startswith("stop")
        assert runs(journal) == [second] != [first]
    assert owned(tmp_path / "w" / "client") == []


async def test_a_broken_commit_changes_nothing_and_the_next_heals(
    tmp_path: Path, app: Source, journal: Journal
) -> None:
    """The old program goes on, and is replaced by the next good one."""
    async with pulling(tmp_path, target_of("app", app.path)) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
        app.commit({"app": "if\n"})
        await eventually(lambda: witness.results("built") == ["ok", "failed"])
        assert runs(journal) == journal.pids("start")
        app.commit({"app": program(journal.path, "true")})
        await eventually(lambda: witness.results("running") == ["ok", "ok"])


async def test_every_beginning_has_an_end(tmp_path: Path, app: Source) -> None:
    """Who shows what is under way needs no clock to take it away again."""
    async with pulling(tmp_path, target_of("app", app.path)) as witness:
        await eventually(lambda: len(witness.begun) > 10)
    assert Counter(one.stage for one in witness.reports) == Counter(witness.begun)
    ok = [one.stage for one in witness.reports if one.result == "ok"]
    assert ok == ["fetched", "built", "published", "downloaded", "running"]


async def test_an_earlier_life_goes_on_at_once(tmp_path: Path, app: Source) -> None:
    """Its version starts before the sources, which are away, have been seen."""
    target = target_of("app", app.path)
    async with pulling(tmp_path, target) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
    app.path.rename(tmp_path / "away")
    async with pulling(tmp_path, target) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
        await eventually(lambda: witness.results("fetched") == ["failed"])


async def test_another_repositorys_program_is_not_run(
    tmp_path: Path, app: Source, journal: Journal
) -> None:
    """In the same directory another target begins anew."""
    async with pulling(tmp_path, target_of("app", app.path)) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
    started = journal.pids("start")
    async with pulling(tmp_path, target_of("app", tmp_path / "nowhere")) as witness:
        await eventually(lambda: "failed" in witness.results("fetched"))
        await eventually(lambda: len([one for one in witness.begun if one == "fetched"]) > 2)
    assert journal.pids("start") == started


async def test_repositories_may_be_added_and_dropped(
    tmp_path: Path, app: Source, journal: Journal
) -> None:
    """In the same directory; what runs then was made of those that are named."""
    lib = Source(tmp_path / "lib")
    lib.commit({"words": "lib"})
    alone, both = target_of("app", app.path), target_of("app", app.path, lib.path)
    for target in (alone, both, alone):
        async with pulling(tmp_path, target) as witness:
            await eventually(lambda witness=witness: witness.results("running") == ["ok"])  # type: ignore[misc]
            assert len(runs(journal)) == 1


async def test_the_program_is_no_second_copy(tmp_path: Path, app: Source) -> None:
    """What is kept and what runs is one file with two names."""
    async with pulling(tmp_path, target_of("app", app.path)) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
        [kept] = (tmp_path / "w" / "server").glob("versions/app/v-*/app")
        [run] = (tmp_path / "w" / "client").glob("versions/v-*/app")
        assert kept.samefile(run)


async def test_a_damaged_version_is_built_again(tmp_path: Path, app: Source) -> None:
    """It is not executed, and heals by itself."""
    target = target_of("app", app.path)
    async with pulling(tmp_path, target) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
    [kept] = (tmp_path / "w" / "server").glob("versions/app/v-*/app")
    kept.write_bytes(os.urandom(kept.stat().st_size))
    async with pulling(tmp_path, target) as witness:
        await eventually(lambda: "ok" in witness.results("running"))
    assert "ok" in witness.results("built")


async def test_a_directory_has_one_process(tmp_path: Path, app: Source) -> None:
    """The second one says so and ends."""
    target = target_of("app", app.path)
    async with pulling(tmp_path, target) as witness:
        await eventually(lambda: witness.results("running") == ["ok"])
        with pytest.raises(DataInUse):
            async with pulling(tmp_path, target):
                await asyncio.sleep(0)
