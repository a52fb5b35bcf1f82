"""What a hub remembers of its repositories' names, in memory and in its log."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters import Outcome
from adapters.repositories import repository
from hub import renaming
from hub.log.base import LogUnavailable
from hub.log.sqlite import SqliteLog
from hub.names import Names
from hub.renaming import Renames
from hub.settings import SourceSettings
from hub.sources import Source


class MuteLog(SqliteLog):
    """The embedded log; while it is `mute`, it answers nothing about notes for a long time."""

    mute = False

    async def noted(self, name: str) -> dict[str, Any] | None:
        """As the embedded log, or late."""
        if self.mute:
            await asyncio.sleep(3600)
        return await super().noted(name)


class AwayLog(SqliteLog):
    """The embedded log; while it is `away`, it knows nothing of notes."""

    away = False

    async def note(self, name: str, value: dict[str, Any] | None) -> None:
        """As the embedded log, or not at all."""
        self._be_there()
        await super().note(name, value)

    async def noted(self, name: str) -> dict[str, Any] | None:
        """As the embedded log, or not at all."""
        self._be_there()
        return await super().noted(name)

    async def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """As the embedded log, or not at all."""
        self._be_there()
        return await super().notes(prefix)

    def _be_there(self) -> None:
        if self.away:
            raise LogUnavailable("away")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """An open log."""
    opened = SqliteLog(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


def source(*repositories: str, name: str = "main") -> Source:
    """A source that speaks for some repositories, or all."""
    secrets = (SecretStr("s3cr3t"),)
    settings = SourceSettings(provider="github", secrets=secrets, repositories=repositories)
    return Source(name, settings)


def outcome(path: str, identifier: int | str | None = 1, former: str = "") -> Outcome:
    """A delivery of a repository with that path and identifier."""
    found = repository(identifier=identifier, full_name=path, clone_url=f"https://h.test/{path}")
    return Outcome("push", True, "", "", "push", found, former_name=former)  # noqa: FBT003


def called(names: Names) -> list[str]:
    """How they read."""
    return [name.full_name for name in names]


async def test_a_known_repository_under_another_name_has_a_former_one(log: SqliteLog) -> None:
    """The same name again is nothing new, and without an identifier nothing is known."""
    renames, main = Renames(log), source()
    assert await renames.notice(main, outcome("acme/old")) == ()
    assert await renames.notice(main, outcome("acme/old")) == ()
    assert called(await renames.notice(main, outcome("acme/new"))) == ["acme/old"]
    assert called(await renames.notice(main, outcome("acme/new"))) == ["acme/old"]
    for nobody in (None, 0, ""):
        assert await renames.notice(main, outcome("acme/old", nobody)) == ()
    assert await renames.notice(main, replace(outcome("x/y"), repository=None)) == ()


async def test_identifiers_are_a_sources_own(log: SqliteLog) -> None:
    """Two forges count from one, both."""
    renames = Renames(log)
    await renames.notice(source(), outcome("acme/old"))
    assert await renames.notice(source(name="other"), outcome("acme/new")) == ()
    assert await renames.notice(source(), outcome("acme/new", "1")) == ()


async def test_an_announced_rename_is_known_before_any_push(log: SqliteLog) -> None:
    """GitHub's event says what it was called."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/new", former="acme/old"))
    assert called(await renames.notice(main, outcome("acme/new"))) == ["acme/old"]


async def test_an_announced_name_that_is_anothers_already_stays_with_it(log: SqliteLog) -> None:
    """The announcement came late; so does one of no change."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/old", 2))
    assert await renames.notice(main, outcome("acme/new", former="acme/old")) == ()
    assert await renames.notice(main, outcome("acme/new", former="acme/new")) == ()


async def test_an_old_name_given_to_another_repository_is_lost(log: SqliteLog) -> None:
    """At once, and after a restart whichever of them comes first."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/old"))
    await renames.notice(main, outcome("acme/new"))
    await renames.write()
    again = Renames(log)
    await again.load()
    assert await again.notice(main, outcome("acme/old", 2)) == ()
    assert await again.notice(main, outcome("acme/new")) == ()
    await again.write()
    third = Renames(log)
    await third.load()
    assert await third.notice(main, outcome("acme/new")) == ()
    assert third.all_keys("main", frozenset({"h.test/acme/new"})) == {"h.test/acme/new"}


async def test_a_repository_whose_only_name_is_anothers_is_forgotten(log: SqliteLog) -> None:
    """It was deleted, and one of the same name made instead."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/app"))
    await renames.write()
    await renames.notice(main, outcome("acme/app", 2))
    await renames.write()
    assert list(await log.notes("")) == ["repository:main:2"]


async def test_what_two_hubs_noted_of_one_name_is_settled_for_who_has_it_now(
    log: SqliteLog,
) -> None:
    """A current name is no old name of another."""
    main = source()
    one, two = Renames(log), Renames(log)
    await one.notice(main, outcome("acme/old"))
    await one.notice(main, outcome("acme/new"))
    await two.notice(main, outcome("acme/old", 2))
    await two.write()
    await one.write()
    third = Renames(log)
    await third.load()
    assert await third.notice(main, outcome("acme/new")) == ()


async def test_names_outlive_the_process(log: SqliteLog) -> None:
    """All of them, when they are read at the start and when only the repository itself is."""
    renames, main = Renames(log), source()
    for path in ("acme/one", "acme/two", "acme/three"):
        await renames.notice(main, outcome(path))
    await renames.write()
    loaded, fresh = Renames(log), Renames(log)
    await loaded.load()
    for found in (loaded, fresh):
        former = called(await found.notice(main, outcome("acme/four")))
        assert former == ["acme/three", "acme/two", "acme/one"]


async def test_what_another_hub_has_noted_is_known_at_the_first_delivery(log: SqliteLog) -> None:
    """Also if that hub heard of it after this one had started."""
    main = source()
    one, two = Renames(log), Renames(log)
    await two.load()
    await one.notice(main, outcome("acme/new", former="acme/old"))
    await one.write()
    assert called(await two.notice(main, outcome("acme/new"))) == ["acme/old"]


async def test_no_name_is_used_that_the_source_may_not_speak_for(log: SqliteLog) -> None:
    """Neither of those announced, nor of those noted when it was allowed more."""
    renames = Renames(log)
    await renames.notice(source(), outcome("acme/old"))
    narrow = source("h.test/acme/n*")
    assert await renames.notice(narrow, outcome("acme/new")) == ()
    assert await renames.notice(narrow, outcome("acme/next", 2, "other/old")) == ()
    assert called(await renames.notice(narrow, outcome("acme/next", 2, "acme/no"))) == ["acme/no"]
    assert renames.former(narrow, outcome("acme/new").repository) == ()


async def test_a_look_learns_nothing(log: SqliteLog) -> None:
    """It tells the other names, whichever of them the delivery was sent under."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/old"))
    assert called(renames.former(main, outcome("acme/new").repository)) == ["acme/old"]
    await renames.notice(main, outcome("acme/new"))
    assert called(renames.former(main, outcome("acme/old").repository)) == ["acme/new"]
    assert renames.former(main, None) == ()
    assert renames.former(main, outcome("acme/old", None).repository) == ()


async def test_any_name_leads_to_all_keys(log: SqliteLog) -> None:
    """Those that are asked for are among them, also when nobody knows them."""
    renames, main = Renames(log), source()
    await renames.notice(main, outcome("acme/old"))
    await renames.notice(main, outcome("acme/new"))
    both = {"h.test/acme/old", "h.test/acme/new"}
    for key in both:
        assert renames.all_keys("main", frozenset({key})) == both
    assert renames.all_keys("other", frozenset({"h.test/acme/old"})) == {"h.test/acme/old"}
    assert renames.all_keys("main", frozenset()) == frozenset()


async def test_a_delivery_does_not_wait_for_a_log_that_does_not_answer(tmp_path: Path) -> None:
    """What is noted there is taken over as soon as it does."""
    log, main = MuteLog(tmp_path), source()
    await log.open()
    before = Renames(log)
    await before.notice(main, outcome("acme/old"))
    await before.write()
    renames = Renames(log)
    log.mute = True
    async with asyncio.timeout(5):
        assert await renames.notice(main, outcome("acme/new")) == ()
    log.mute = False
    await renames.write()
    assert called(await renames.notice(main, outcome("acme/new"))) == ["acme/old"]
    await log.close()


async def test_what_a_log_does_not_take_is_noted_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renames that happen meanwhile are known from memory."""
    monkeypatch.setattr(renaming, "RETRY_SECONDS", 0.01)
    log, main = AwayLog(tmp_path), source()
    await log.open()
    log.away = True
    renames = Renames(log)
    await renames.load()
    writing = asyncio.create_task(renames.run(), name="write")
    await renames.notice(main, outcome("acme/old"))
    assert called(await renames.notice(main, outcome("acme/new"))) == ["acme/old"]
    await asyncio.sleep(0)
    log.away = False
    async with asyncio.timeout(10):
        while not await log.noted("repository:main:1"):
            await asyncio.sleep(0.01)
    writing.cancel()
    again = Renames(log)
    await again.load()
    assert called(await again.notice(main, outcome("acme/new"))) == ["acme/old"]
    await log.close()


async def test_a_note_of_no_hub_is_no_name(log: SqliteLog) -> None:
    """It hides nothing."""
    strange: list[dict[str, Any]] = [{}, {"source": "main", "id": 1, "names": []}, {"names": 3}]
    for number, value in enumerate(strange):
        await log.note(f"repository:{number}", value)
    empty = [{"full_name": "", "keys": []}]
    await log.note("repository:main:1", {"source": "main", "id": 1, "names": empty})
    renames, main = Renames(log), source()
    await renames.load()
    assert await renames.notice(main, outcome("acme/new")) == ()
    await renames.write()
    assert (await log.noted("repository:main:1") or {})["names"][0]["full_name"] == "acme/new"


async def test_repositories_are_not_remembered_without_end(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may post can make up identifiers."""
    monkeypatch.setattr(renaming, "MOST_REPOSITORIES", 3)
    renames, main = Renames(log), source()
    for number in range(1, 6):
        await renames.notice(main, outcome(f"acme/{number}", number))
        await renames.write()
    assert list(await log.notes("")) == [f"repository:main:{number}" for number in (3, 4, 5)]
