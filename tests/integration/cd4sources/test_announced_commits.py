"""Commits that a push announced and the remote does not show yet, or never."""

import shutil
from pathlib import Path

import pytest

from cd4sources.notifications import Notification
from cd4sources.reporting import StageReport
from cd4sources.targets import Target
from tests.support.githttp import GitServer
from tests.support.serving import offers, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
FORGED = "f" * 40


@pytest.fixture
def reports() -> list[StageReport]:
    return []


def push(target: Target, commit: str) -> Notification:
    """What a hub says of a push."""
    keys, ref = target.repositories[0].keys, "refs/heads/main"
    return Notification(keys, ref, commit, TRACE, "delivery", "cursor", default_branch="main")


def stages(reports: list[StageReport]) -> list[str]:
    """Of the push."""
    return [one.stage for one in reports if one.traceparent == TRACE]


async def test_an_announced_commit_is_looked_for_until_it_shows(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """A replica that lags gives the old commit for a while: that is not "nothing changed"."""
    shutil.copytree(source.path, tmp_path / "lagging" / "app")
    with GitServer.serving(tmp_path / "git") as server:
        target = target_of("app", server.url("app"))
        async with serving(tmp_path / "data", target, reports=reports) as running:
            follower = running.follower()
            follower._pauses = (0.05,) * 100
            server.root = tmp_path / "lagging"
            commit = source.commit({"words": "two"})
            server.requests.clear()
            follower.notice(push(target, commit))
            await eventually(lambda: len(server.requests) > 6)
            assert stages(reports) == ["notified"]
            server.root = tmp_path / "git"
            await offers(follower, commit)
            await eventually(lambda: stages(reports)[-1:] == ["published"])
            assert stages(reports) == ["notified", "fetched", "built", "published"]


async def test_a_commit_that_never_shows_is_said_and_costs_a_few_looks(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """Forged or overwritten: what is there is offered meanwhile, and polls go on."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, reports=reports) as running:
        follower = running.follower()
        follower._pauses = (0.01, 0.02)
        commit = source.commit({"words": "two"})
        follower.notice(push(target, FORGED))
        await offers(follower, commit)
        await eventually(lambda: [one for one in reports if one.result == "failed"])
        (failed,) = [one for one in reports if one.result == "failed"]
        assert (failed.stage, failed.traceparent) == ("fetched", TRACE)
        assert f"commit {'f' * 40} was announced, but {source.path} does not" in failed.message
        assert follower._again is None
        assert follower.offer.current is not None


async def test_a_newer_push_ends_the_wait_for_an_older_one(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """The newest wins: what was overwritten meanwhile is not looked for any longer."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, reports=reports) as running:
        follower = running.follower()
        follower._pauses = (1000.0,)
        before = follower.last_pass_at
        follower.notice(push(target, FORGED))
        await eventually(lambda: follower.last_pass_at != before)
        assert stages(reports) == ["notified"]
        commit = source.commit({"words": "two"})
        follower.notice(push(target, commit))
        await eventually(lambda: stages(reports)[-1:] == ["published"])
        assert follower.offer.current is not None
        assert follower.offer.current.lockset == (commit,)
        told = [one for one in reports if one.traceparent == TRACE and one.result != "ok"]
        assert [one.message for one in told] == [f"superseded by {commit[:12]}"]


async def test_a_commit_that_cannot_be_built_is_fetched_once(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """Polls that find it again say nothing new."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, reports=reports) as running:
        source.commit({"build.sh": "exit 7\n"})
        for _ in range(3):
            await running.look()
        fetched = [one for one in reports if one.stage == "fetched"]
        assert len(fetched) == 2
        assert running.follower().failure


async def test_another_look_does_not_end_the_wait(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """Whoever else has it look: the announced commit is waited for, and its end is told."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, reports=reports) as running:
        follower = running.follower()
        follower._pauses = (1000.0,)
        before = follower.last_pass_at
        follower.notice(push(target, FORGED))
        await eventually(lambda: follower.last_pass_at != before)
        follower.refresh()
        await eventually(lambda: [one for one in reports if one.result == "failed"])
        assert [one.traceparent for one in reports if one.result == "failed"] == [TRACE]


async def test_whoever_else_asks_for_a_look_takes_no_pushs_place(
    tmp_path: Path, source: Source, reports: list[StageReport]
) -> None:
    """The look is the same for all of them; its word belongs to the push."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, reports=reports) as running:
        commit = source.commit({"words": "two"})
        running.follower().notice(push(target, commit))
        running.follower().refresh()
        await eventually(lambda: stages(reports)[-1:] == ["published"])
