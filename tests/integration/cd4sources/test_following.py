"""Following targets: pushes become versions, whatever fails on the way."""

import os
import shutil
from pathlib import Path

import pytest

from cd4sources.building import making
from cd4sources.locking import DataInUse
from cd4sources.notifications import Notification
from cd4sources.reporting import StageReport
from cd4sources.running.commands import owned_by, spawn, trees_of
from cd4sources.settings import TargetSettings
from cd4sources.sources.announced import Announced
from cd4sources.targets import Target
from cd4sources.wakes import Wake
from tests.support.githttp import GitServer
from tests.support.serving import BUILD_SH, Serving, offers, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


def counting(count: Path, gate: Path) -> str:
    """A build.sh that counts its builds, and waits for a gate to be open."""
    wait = f"echo x >>{count}; while ! test -e {gate}; do sleep 0.01; done"
    return f'test "$1" = artifact || {{ {wait}; }}\n{BUILD_SH}'


def count_of(path: Path) -> int:
    return len(path.read_text().split()) if path.exists() else 0


async def look_for(commit: str, running: Serving) -> None:
    """Have a push announced, and wait for the end of its pass."""
    follower = running.follower()
    before = follower.last_pass_at
    follower.wake(Wake("push", announced=Announced(0, commit)))
    await eventually(lambda: follower.last_pass_at != before)


async def test_first_commit_is_published_at_start(tmp_path: Path, source: Source) -> None:
    """A server that starts looks at everything once."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        assert await running.words() == "one"


async def test_new_commit_is_published(tmp_path: Path, source: Source) -> None:
    """After a wake the newest commit is what is offered."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        commit = source.commit({"words": "two"})
        follower = await running.look()
        assert follower.offer.current is not None
        assert follower.offer.current.lockset == (commit,)
        assert await running.words() == "two"


async def test_what_only_a_poll_has_found_is_told(tmp_path: Path, source: Source) -> None:
    """Neither the first look, nor a push, nor one that was heard while the sources were away."""
    away, told = tmp_path / "away", list[StageReport]()
    target = target_of("app", source.path, ref="main")
    async with serving(tmp_path / "data", target, reports=told) as running:
        follower = running.follower()
        source.commit({"words": "two"})
        source.path.rename(away)
        follower.notice(notification(target.repositories[0].keys, "refs/heads/main"))
        await eventually(lambda: follower.failure is not None)
        away.rename(source.path)
        await eventually(lambda: follower.failure is None)
        source.commit({"words": "three"})
        await running.look()
        await eventually(lambda: sum(one.stage == "published" for one in told) == 3)
    fetched = [one for one in told if one.stage == "fetched" and one.result == "ok"]
    assert [one.is_caught for one in fetched] == [False, False, True]


async def test_poll_finds_a_commit_by_itself(tmp_path: Path, source: Source) -> None:
    """Without any wake the poll interval is the longest a push waits."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target, poll_interval_seconds=0.05) as running:
        commit = source.commit({"words": "two"})
        follower = running.follower()
        await offers(follower, commit)


async def test_force_push_back_needs_no_build(tmp_path: Path, source: Source) -> None:
    """Going back to a commit that was built before publishes it again as it is."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    gate.touch()
    source.commit({"build.sh": counting(count, gate)})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        source.commit({"words": "two"})
        await running.look()
        source.git("reset", "--hard", "--quiet", "HEAD~1")
        await running.look()
        assert (await running.words(), count_of(count)) == ("one", 2)


async def test_nothing_waits_for_a_build_that_does_not_come(tmp_path: Path, source: Source) -> None:
    """A push of what is there needs no build, another one cannot be built: no process stays."""
    data = tmp_path / "data"
    async with serving(data, target_of("app", source.path)) as running:
        await look_for(source.git("rev-parse", "HEAD"), running)
        await eventually(lambda: not owned_by(data))
        await look_for(source.commit({"build.sh": None}), running)
        await eventually(lambda: not owned_by(data))
        assert running.follower().failure


async def test_many_wakes_during_a_build_are_one_more_build(tmp_path: Path, source: Source) -> None:
    """However many pushes come while one is built, exactly one more build follows: the newest."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    source.commit({"build.sh": BUILD_SH})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        source.commit({"build.sh": counting(count, gate)})
        follower = running.follower()
        follower.wake(Wake("poll"))
        await eventually(lambda: count_of(count) == 1)
        for number in range(20):
            commit = source.commit({"words": str(number)})
            follower.wake(Wake("poll"))
        gate.touch()
        await offers(follower, commit)
        await running.look()
        assert (await running.words(), count_of(count)) == ("19", 2)


async def test_failed_build_keeps_the_old_version(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """The old version stays on offer; exit code and last lines are in the state and in the log."""
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        source.commit({"build.sh": "echo no such header; exit 7\n"})
        follower = await running.look()
        assert await running.words() == "one"
        assert follower.failure is not None
        assert follower.failure.stage == "built"
        for said in ("ended with 7", "no such header"):
            assert said in follower.failure.message
            assert said in str([vars(record) for record in caplog.records])


async def test_failed_version_is_not_built_again_by_polls(tmp_path: Path, source: Source) -> None:
    """The same commit would fail again: only an operator's refresh or another commit tries."""
    count = tmp_path / "count"
    source.commit({"build.sh": f"echo x >>{count}; exit 1\n"})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        follower = await running.look()
        assert (follower.failure is not None, count_of(count)) == (True, 1)
        follower.refresh()
        await eventually(lambda: count_of(count) == 2)
        commit = source.commit({"build.sh": BUILD_SH})
        follower.wake(Wake("poll"))
        await offers(follower, commit)
        await eventually(lambda: follower.failure is None)


async def test_restart_offers_the_version_on_disk(tmp_path: Path, source: Source) -> None:
    """A later life offers at once what the earlier one built, and builds nothing."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    gate.touch()
    source.commit({"build.sh": counting(count, gate)})
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target):
        pass
    async with serving(tmp_path / "data", target) as running:
        assert (await running.words(), count_of(count)) == ("one", 1)


async def test_restart_offers_while_the_forge_is_away(tmp_path: Path, source: Source) -> None:
    """What is on disk is offered although the repository cannot be reached."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target):
        pass
    source.path.rename(tmp_path / "away")
    async with serving(tmp_path / "data", target) as running:
        assert await running.words() == "one"
        failure = running.follower().failure
        assert failure is not None
        assert failure.stage == "fetched"


async def test_build_of_an_earlier_life_is_ended(tmp_path: Path, source: Source) -> None:
    """What a killed server left building does not write into the trees of the next one."""
    env = {"PATH": os.environ["PATH"]}
    left = await spawn(("sleep", "300"), env=env, owner=tmp_path / "data")
    async with serving(tmp_path / "data", target_of("app", source.path)):
        assert await left.process.wait() == -9


async def test_second_server_on_the_same_data_is_refused(tmp_path: Path, source: Source) -> None:
    """Two servers in one directory would undo each other's work."""
    target = target_of("app", source.path)
    async with serving(tmp_path / "data", target):
        with pytest.raises(DataInUse, match="another process works in"):
            async with serving(tmp_path / "data", target):
                pass


async def test_failing_target_does_not_stop_others(tmp_path: Path, source: Source) -> None:
    """One repository's trouble is nobody else's."""
    targets = (target_of("app", source.path), target_of("gone", tmp_path / "nowhere"))
    async with serving(tmp_path / "data", *targets) as running:
        source.commit({"words": "two"})
        await running.look()
        assert await running.words() == "two"
        assert running.follower("gone").failure is not None


async def test_unreachable_repository_heals_by_itself(tmp_path: Path, source: Source) -> None:
    """After a failed fetch the next attempt comes soon, however rare polls are."""
    with GitServer.serving(tmp_path / "git") as server:
        server.fail_next = [500, 500]
        target = target_of("app", server.url("app"))
        async with serving(tmp_path / "data", target) as running:
            follower = running.follower()
            assert follower.offer.current is None
            await eventually(lambda: follower.offer.current is not None)
            await eventually(lambda: follower.failure is None)


async def test_siblings_are_beside_the_tree(tmp_path: Path, source: Source) -> None:
    """A build finds the other repositories by their variables; a push to one is a new version."""
    lib = Source(tmp_path / "git" / "my-lib")
    lib.commit({"word": "sibling one"})
    source.commit({"build.sh": f'cp "$DIRECTCD_REPO_MY_LIB/word" words\n{BUILD_SH}'})
    target = target_of("app", source.path, lib.path)
    async with serving(tmp_path / "data", target) as running:
        commit = lib.commit({"word": "sibling two"})
        follower = await running.look()
        assert follower.offer.current is not None
        assert follower.offer.current.lockset[1] == commit
        artifact = running.app.state.store.artifact(follower.offer.current)
        assert artifact.read_text() == "sibling two"


async def test_a_fork_is_also_found_by_the_name_of_what_it_replaces(
    tmp_path: Path, source: Source
) -> None:
    """Whoever builds need not know."""
    fork = Source(tmp_path / "git" / "fork")
    fork.commit({"word": "mine"})
    both = 'cat "$DIRECTCD_REPO_LIB/word" "$DIRECTCD_REPO_FORK/word" >words'
    source.commit({"build.sh": f"{both}\n{BUILD_SH}"})
    urls = [
        {"url": str(source.path)},
        {"url": str(fork.path), "replaces": "https://h/acme/lib.git"},
    ]
    target = Target.from_settings(
        TargetSettings.model_validate({"name": "app", "repositories": urls})
    )
    async with serving(tmp_path / "data", target) as running:
        assert running.follower().failure is None
        current = running.follower().offer.current
        assert current is not None
        assert running.app.state.store.artifact(current).read_text() == "minemine"


async def test_notification_of_another_ref_is_not_for_us(tmp_path: Path, source: Source) -> None:
    """Only a push to the configured ref of one of its repositories wakes a target."""
    target = target_of("app", source.path, ref="main")
    keys = target.repositories[0].keys
    async with serving(tmp_path / "data", target) as running:
        follower = running.follower()
        commit = source.commit({"words": "two"})
        follower.notice(notification(keys, "refs/heads/other"))
        follower.notice(notification(frozenset({"file:/other"}), "refs/heads/main"))
        assert await follower._mailbox.get(0) is None
        follower.notice(notification(keys, "refs/heads/main"))
        await offers(follower, commit)
        assert follower.offer.current is not None
        assert follower.offer.current.traceparent == TRACE


TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


def notification(keys: frozenset[str], ref: str) -> Notification:
    return Notification(keys, ref, None, TRACE, "delivery", "cursor")


async def test_failed_build_is_tried_again_by_itself(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed for a reason that passes is built without anybody's doing."""
    gate = tmp_path / "gate"
    monkeypatch.setattr(making, "BUILD_RETRY_SECONDS", 0.05)
    source.commit({"build.sh": f"test -e {gate} || exit 1\n{BUILD_SH}"})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        follower = running.follower()
        assert follower.failure is not None
        gate.touch()
        await eventually(lambda: follower.offer.current is not None)
        newest, *others = running.app.state.builds.list(["app"], limit=100)
        assert (newest.reason, newest.state) == ("retry", "ok")
        assert {one.state for one in others} == {"failed"}


async def test_cancelled_build_is_not_tried_again(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with all it started, the worker goes on, and only a rebuild builds it."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    monkeypatch.setattr(making, "BUILD_RETRY_SECONDS", 0.01)
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        commit = source.commit({"build.sh": counting(count, gate)})
        follower, builds = running.follower(), running.app.state.builds
        follower.wake(Wake("poll"))
        await eventually(lambda: count_of(count) == 1)
        (record,) = builds.list(["app"], limit=1)
        assert follower.cancel(record.id)
        await eventually(lambda: not builds.is_running(record.id))
        ended = builds.get(record.id)
        assert (ended.state, follower.cancel(record.id)) == ("cancelled", False)
        await running.look()
        assert count_of(count) == 1
        gate.touch()
        follower.rebuild()
        await offers(follower, commit)


async def test_stopped_server_leaves_an_interrupted_build(tmp_path: Path, source: Source) -> None:
    """Its record says so, and its processes are gone."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    data = tmp_path / "data"
    async with serving(data, target_of("app", source.path)) as running:
        source.commit({"build.sh": counting(count, gate)})
        running.follower().wake(Wake("poll"))
        await eventually(lambda: count_of(count) == 1)
    (record,) = running.app.state.builds.list(["app"], limit=1)
    assert (record.state, record.message) == ("interrupted", "the server was stopped")
    assert not owned_by(data)


async def test_rebuild_builds_what_is_there(tmp_path: Path, source: Source) -> None:
    """An operator may want the same commits built again; the version stays the same."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    gate.touch()
    source.commit({"build.sh": counting(count, gate)})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        follower = running.follower()
        before = follower.offer.current
        follower.rebuild()
        await eventually(lambda: follower.offer.current is not before)
        assert before is not None
        assert follower.offer.current is not None
        assert (follower.offer.current.version, count_of(count)) == (before.version, 2)
        await running.look()
        assert count_of(count) == 2


async def test_builds_take_turns(tmp_path: Path, source: Source) -> None:
    """A push to what many targets use starts neither all builds at once nor all their nannies."""
    data, count, gate = tmp_path / "data", tmp_path / "count", tmp_path / "gate"
    names = ("one", "two", "three")
    targets = [target_of(name, source.path) for name in names]
    reports: list[StageReport] = []
    async with serving(data, *targets, reports=reports, build_parallel=2) as running:
        reports.clear()
        commit = source.commit({"build.sh": counting(count, gate)})
        for name in names:
            running.follower(name).wake(Wake("push", announced=Announced(0, commit)))
        await eventually(lambda: count_of(count) == 2)
        await eventually(lambda: [one.stage for one in reports].count("fetched") == 3)
        await eventually(lambda: len(trees_of(data)) == 2)  # each with its nanny
        gate.touch()
        await eventually(lambda: count_of(count) == 3)
        await eventually(lambda: not running.app.state.builds._running)
        last, *others = running.app.state.builds.list(names, limit=3)
        assert last.started_at >= min(one.ended_at for one in others)


async def test_a_pass_with_nothing_new_runs_no_git(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request, and no process of ours; what is damaged on disk is noticed all the same."""
    ran = tmp_path / "ran"
    monkeypatch.setenv("PATH", f"{noting(tmp_path / 'bin' / 'git', ran)}:{os.environ['PATH']}")
    with GitServer.serving(tmp_path / "git") as server:
        async with serving(tmp_path / "data", target_of("app", server.url("app"))) as running:
            assert "refs/directcd/tip" in ran.read_text()
            await running.look()
            ran.unlink()
            follower = await running.look()
            assert (follower.failure, ran.read_text()) == (None, "http-backend\n")
            assert follower.offer.current is not None
            artifact = running.app.state.store.artifact(follower.offer.current)
            artifact.unlink()
            await running.look()
            assert artifact.is_file()


def noting(program: Path, ran: Path) -> Path:
    """A directory with a git that writes down its last argument, and then is git."""
    program.parent.mkdir()
    note = f'for last; do :; done\necho "$last" >>"{ran}"'
    program.write_text(f'#!/bin/sh\n{note}\nexec "{shutil.which("git")}" "$@"\n')
    program.chmod(0o755)
    return program.parent
