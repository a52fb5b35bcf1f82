"""Which of several servers a client believes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cd4sources.delivery import delivering, watching
from cd4sources.delivery.watching import NoServer, Watch
from cd4sources.http import Http
from tests.integration.cd4sources.clients import NOWHERE, V1, V2, V3, current, running, settings
from tests.integration.cd4sources.peers import Request, ServerPeer, respond, serving
from tests.integration.cd4sources.programs import Journal, program
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
LATEST = NOON + timedelta(minutes=2)


@pytest.fixture
async def first() -> AsyncIterator[ServerPeer]:
    async with serving(ServerPeer()) as peer:
        yield peer


@pytest.fixture
async def second() -> AsyncIterator[ServerPeer]:
    async with serving(ServerPeer()) as peer:
        yield peer


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was passed over is asked again before a test gets impatient."""
    monkeypatch.setattr(watching, "RETURN_SECONDS", 0.3)
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.3)
    monkeypatch.setattr(delivering, "MOST_PAUSE_SECONDS", 0.4)


def text(journal: Journal, version: str) -> str:
    return program(journal.path, f"# {version}")


async def test_a_server_that_drops_out_is_told_once_and_so_is_its_return(
    tmp_path: Path,
    journal: Journal,
    first: ServerPeer,
    second: ServerPeer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that is away from the start; at an ordinary start nothing is said."""
    caplog.set_level("INFO", "cd4sources.delivery.watching")
    for peer in (first, second):
        peer.publish(V1, text(journal, V1), NOON)
    port = int(first.url.rpartition(":")[2])
    await first.close()
    async with running(settings(tmp_path / "data", first.url, second.url)):
        await eventually(lambda: "server passed over, asking the next" in caplog.messages)
        await eventually(lambda: len(second.requests) >= 3)
        await first.open(port)
        await eventually(lambda: "server is believed again" in caplog.messages)
    assert caplog.messages.count("server passed over, asking the next") == 1


async def test_a_server_that_lags_causes_no_downgrade(
    tmp_path: Path, journal: Journal, first: ServerPeer, second: ServerPeer
) -> None:
    """What it offers is older than what runs; when it has caught up, it is believed."""
    data = tmp_path / "data"
    first.publish(V2, text(journal, V2), LATER)
    second.publish(V1, text(journal, V1), NOON)
    async with running(settings(data, first.url, second.url)):
        await eventually(lambda: current(data) == V2)
        await first.close()
        await eventually(lambda: len(second.requests) >= 3)
        assert journal.lines() == [f"start {V2}"]
        second.publish(V3, text(journal, V3), LATEST)
        await eventually(lambda: current(data) == V3)
    await first.open()


async def test_what_ran_is_remembered_across_a_restart(
    tmp_path: Path, journal: Journal, first: ServerPeer, second: ServerPeer
) -> None:
    """A client that comes back with only a lagging server at hand starts what it had."""
    data = tmp_path / "data"
    first.publish(V2, text(journal, V2), LATER)
    second.publish(V1, text(journal, V1), NOON)
    async with running(settings(data, first.url)):
        await eventually(lambda: current(data) == V2)
    async with running(settings(data, NOWHERE, second.url)):
        await eventually(lambda: len(journal.pids(f"start {V2}")) == 2)
        await eventually(lambda: len(second.requests) >= 2)
    assert f"start {V1}" not in journal.lines()


async def test_a_server_may_take_its_own_version_back(
    tmp_path: Path, journal: Journal, first: ServerPeer
) -> None:
    """Its own word replaces its own word, whatever the times say."""
    data = tmp_path / "data"
    first.publish(V2, text(journal, V2), LATER)
    async with running(settings(data, first.url)):
        await eventually(lambda: current(data) == V2)
        first.publish(V1, text(journal, V1), NOON)
        await eventually(lambda: current(data) == V1)


async def test_a_roll_back_is_newer_than_what_it_replaces(
    tmp_path: Path, journal: Journal, first: ServerPeer, second: ServerPeer
) -> None:
    """An old version that became current again elsewhere is followed, and stays, also on disk."""
    data = tmp_path / "data"
    first.publish(V1, text(journal, V1), NOON)
    async with running(settings(data, first.url, second.url)):
        await eventually(lambda: current(data) == V1)
        first.publish(V2, text(journal, V2), LATER)
        await eventually(lambda: current(data) == V2)
        second.publish(V1, text(journal, V1), LATEST)
        await first.close()
        await eventually(lambda: current(data) == V1)
    await first.open()
    async with running(settings(data, first.url)):
        await eventually(lambda: len(first.requests) >= 4)
        await eventually(lambda: len(journal.pids(f"start {V1}")) == 3)
    assert current(data) == V1


async def test_when_all_others_are_gone_for_good_the_one_that_lags_is_believed(
    tmp_path: Path,
    journal: Journal,
    first: ServerPeer,
    second: ServerPeer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After some patience, and said in the log."""
    monkeypatch.setattr(watching, "LAG_PATIENCE_SECONDS", 1.0)
    data = tmp_path / "data"
    first.publish(V2, text(journal, V2), LATER)
    second.publish(V1, text(journal, V1), NOON)
    async with running(settings(data, first.url, second.url)):
        await eventually(lambda: current(data) == V2)
        await first.close()
        await eventually(lambda: current(data) == V1)
    assert "only a server that lags" in caplog.text
    await first.open()


async def test_patience_with_a_server_that_lags_begins_when_it_is_refused(
    first: ServerPeer, second: ServerPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long nobody was asked before, during a download or a swap."""
    first.publish(V2, "new", LATER)
    second.publish(V1, "old", NOON)
    monkeypatch.setattr(watching, "LAG_PATIENCE_SECONDS", 1e-9)
    async with Http() as http:
        watch = Watch(http, [first.url, second.url], [("repo", "shop")])
        offer = await watch.news(patient=False)
        assert offer
        watch.delivered(offer)
        first.watch_status = 503
        with pytest.raises(NoServer, match="lags: it offers"):
            await watch.news(patient=False)
        offer = await watch.news(patient=False)
    assert offer
    assert offer.version == V1


class Hasty(ServerPeer):
    """Has nothing new, and says so without waiting."""

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say it."""
        respond(writer, 204)


async def test_a_server_that_does_not_wait_is_not_asked_without_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its second answer is kept back for a moment; the first did not promise to wait."""
    monkeypatch.setattr(watching, "WATCH_SECONDS", 50)
    monkeypatch.setattr(watching, "LEAST_WAIT_SECONDS", 50)
    async with serving(Hasty()) as server, Http() as http, asyncio.TaskGroup() as tasks:
        watch = Watch(http, [server.url], [("repo", "shop")])
        assert await watch.news(patient=True) is None
        asking = tasks.create_task(watch.news(patient=True))
        await eventually(lambda: len(server.requests) == 2)
        await asyncio.wait({asking}, timeout=0.2)
        assert not asking.done()
        asking.cancel()


async def test_the_first_server_is_preferred_when_it_is_back(
    tmp_path: Path, journal: Journal, first: ServerPeer, second: ServerPeer
) -> None:
    """The next one is asked meanwhile; coming back swaps nothing."""
    data = tmp_path / "data"
    for peer in (first, second):
        peer.publish(V1, text(journal, V1), NOON)
    first.watch_status = 503
    async with running(settings(data, first.url, second.url)):
        await eventually(lambda: current(data) == V1)
        await eventually(lambda: len(second.asked("GET", "/watch")) >= 2)
        first.watch_status = 200
        await eventually(lambda: first.asked("GET", "/watch")[-1].query["timeout"] == ["0.3"])
        asked = len(second.requests)
        first.publish(V2, text(journal, V2), LATER)
        await eventually(lambda: current(data) == V2)
        assert len(second.requests) <= asked + 1
    assert len(journal.pids("start")) == 2


async def test_a_server_that_failed_is_left_alone_for_a_while(
    tmp_path: Path,
    journal: Journal,
    first: ServerPeer,
    second: ServerPeer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not tried before every question to the next one."""
    monkeypatch.setattr(watching, "RETURN_SECONDS", 600)
    first.watch_status = 503
    second.publish(V1, text(journal, V1), NOON)
    async with running(settings(tmp_path / "data", first.url, second.url)):
        await eventually(lambda: len(second.asked("GET", "/watch")) >= 4)
    assert len(first.requests) == 1


async def test_the_token_goes_to_servers_and_is_read_again(
    tmp_path: Path, journal: Journal, first: ServerPeer
) -> None:
    """With every question and download; a new one in the file is used from then on."""
    token = tmp_path / "token"
    token.write_text("dcd_one\n")
    first.publish(V1, text(journal, V1))
    async with running(settings(tmp_path / "data", first.url, token_file=token)):
        await eventually(lambda: current(tmp_path / "data") == V1)
        token.write_text("dcd_two\n")
        await eventually(lambda: first.requests[-1].headers["authorization"] == "Bearer dcd_two")
    assert {one.headers["authorization"] for one in first.requests[:2]} == {"Bearer dcd_one"}


@pytest.mark.parametrize(
    "words",
    ["", "one two", "schlüssel", "x" * 5000],
    ids=["empty", "two", "foreign", "another file"],
)
async def test_a_token_that_no_header_can_carry_is_told_and_not_shown(
    tmp_path: Path, first: ServerPeer, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    """The server is not asked at all."""
    token = tmp_path / "token"
    token.write_text(words)
    async with running(settings(tmp_path / "data", first.url, token_file=token)):
        await eventually(lambda: caplog.records)
    assert "it must hold one token" in str(vars(caplog.records[0]))
    assert not words or words not in str(vars(caplog.records[0]))
    assert first.requests == []


@pytest.mark.parametrize("place", ["{elsewhere}", "{server}/below/..", "{server}/%2e%2e"])
async def test_an_artifact_elsewhere_is_refused(
    tmp_path: Path,
    first: ServerPeer,
    second: ServerPeer,
    caplog: pytest.LogCaptureFixture,
    place: str,
) -> None:
    """A server's answer leads neither to another host nor above its path: they'd get the token."""
    first.publish(V1, "#!/bin/sh\n")
    url = place.format(elsewhere=second.url, server=first.url)
    first.artifact_changes = {"url": f"{url}/download?version={V1}"}
    async with running(settings(tmp_path, first.url)):
        await eventually(lambda: caplog.records)
    assert "only the server itself is asked" in str(vars(caplog.records[0]))
    assert (first.asked("GET", "/download"), second.requests) == ([], [])


async def test_a_version_that_cannot_be_had_does_not_keep_others_away(
    tmp_path: Path,
    journal: Journal,
    first: ServerPeer,
    second: ServerPeer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What one server only promises makes nothing old that another has."""
    monkeypatch.setattr(watching, "RETURN_SECONDS", 5)
    data = tmp_path / "data"
    for peer in (first, second):
        peer.publish(V1, text(journal, V1), NOON)
    async with running(settings(data, first.url, second.url)):
        await eventually(lambda: current(data) == V1)
        first.spoil = lambda _: b"other bytes"
        first.publish(V2, text(journal, V2), LATEST)
        await eventually(lambda: len(first.asked("GET", "/download")) >= 2)
        second.publish(V3, text(journal, V3), LATER)
        await eventually(lambda: current(data) == V3)
