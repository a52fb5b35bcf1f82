"""The supervisor against real processes."""

import asyncio
import itertools
import os
import resource
import signal
from functools import partial
from pathlib import Path

import pytest

from cd4sources.delivery.programs import start, stop_all
from cd4sources.delivery.sockets import listen
from cd4sources.delivery.supervising import RolledBack
from cd4sources.running.commands import spawn
from cd4sources.settings import ClientSettings
from directcd.demo.world import free_ports
from tests.integration.cd4sources.peers import Peer, Request, respond, serving
from tests.integration.cd4sources.programs import Journal, executable, owned, program
from tests.integration.cd4sources.supervisors import left_behind, nothing, supervised
from tests.support.processes import is_alive
from tests.support.waiting import eventually

DOUBLE_FORK = """
(setsid sh -c 'sh -c "sleep 300" & echo "child $DIRECTCD_VERSION $!" >> {journal}; exit' &)
"""


async def test_the_old_stops_only_after_the_new_is_healthy(
    tmp_path: Path, journal: Journal
) -> None:
    """Start new, prove it, only then stop old: as the programs' own journal shows."""
    app = executable(tmp_path / "app", program(journal.path))
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v1", app, lambda: journal.add("healthy v1"))
        await supervisor.swap("v2", app, lambda: journal.add("healthy v2"))
        assert supervisor.version == "v2"
        assert journal.lines() == ["start v1", "healthy v1", "start v2", "healthy v2", "stop v1"]
    assert journal.lines()[-1] == "stop v2"


@pytest.mark.parametrize(
    ("body", "reason"),
    [("exit 3", "exited with status 3"), ("kill -SEGV $$", "SIGSEGV"), ("exit 0", "status 0")],
    ids=["fails", "crashes", "ends"],
)
async def test_a_new_one_that_ends_within_settle_is_rolled_back(
    tmp_path: Path, journal: Journal, body: str, reason: str
) -> None:
    """The old one runs on untouched, and the error says how the new one ended."""
    good = executable(tmp_path / "good", program(journal.path))
    bad = executable(tmp_path / "bad", program(journal.path, body))
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v1", good, nothing)
        with pytest.raises(RolledBack, match=reason) as caught:
            await supervisor.swap("v2", bad, nothing)
        assert caught.value.kept == supervisor.version == "v1"
        assert is_alive(journal.pids("start v1")[0])
        assert "stop v1" not in journal.lines()


async def test_what_cannot_be_started_is_rolled_back(tmp_path: Path, journal: Journal) -> None:
    """A file that is no program is told, not raised as a foreign error."""
    async with supervised(tmp_path) as supervisor:
        with pytest.raises(RolledBack, match="cannot be started"):
            await supervisor.swap("v1", executable(tmp_path / "app", "\x7fnonsense"), nothing)


async def test_a_file_that_may_not_be_executed_here_is_not_to_blame(tmp_path: Path) -> None:
    """Installed ones have the mode: it is where they lie, on a noexec mount."""
    app = executable(tmp_path / "app", "#!/bin/sh\n")
    app.chmod(0o644)
    async with supervised(tmp_path) as supervisor:
        with pytest.raises(RolledBack, match="mounted noexec") as caught:
            await supervisor.swap("v1", app, nothing)
    assert caught.value.blameless


async def test_a_machine_that_cannot_start_anything_blames_no_version(
    tmp_path: Path, journal: Journal
) -> None:
    """Here: no file may be opened any more."""
    app = executable(tmp_path / "app", program(journal.path))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with supervised(tmp_path) as supervisor:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            with pytest.raises(RolledBack, match="Too many open files") as caught:
                await supervisor.swap("v1", app, nothing)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.blameless


async def test_a_machine_that_cannot_hand_sockets_over_blames_no_version(tmp_path: Path) -> None:
    """Here: the file is being written to, for longer than a moment."""
    app = executable(tmp_path / "app", "#!/bin/sh\n")
    [port] = free_ports(1)
    sockets = listen([f"127.0.0.1:{port}"])
    async with supervised(tmp_path, sockets, settle_seconds=30) as supervisor:
        with (
            app.open("a"),
            pytest.raises(RolledBack, match="not be started just now") as caught,
        ):
            await supervisor.swap("v1", app, nothing)
    sockets.close()
    assert caught.value.blameless


async def test_members_are_asked_to_end_also_when_their_leader_is_dead(
    tmp_path: Path, journal: Journal
) -> None:
    """A tree gets the stop signal before SIGKILL, whichever of its processes lives."""
    app = executable(tmp_path / "app", program(journal.path))
    env = {"PATH": os.environ["PATH"]}
    leader = await spawn(["sh", "-c", f"{app} & wait"], env=env, owner=tmp_path)
    await eventually(journal.lines)
    leader.process.kill()
    await leader.process.wait()
    await stop_all(ClientSettings(data=tmp_path))
    assert [line.split()[0] for line in journal.lines()] == ["start", "stop"]


async def test_the_number_of_a_reaped_process_is_not_used(tmp_path: Path) -> None:
    """It may be another's by then."""
    app = executable(tmp_path / "app", "#!/bin/sh\n")
    ended = await start("v1", app, ClientSettings(data=tmp_path), (str(app),), ())
    assert ended.tree.group == ended.spawned.process.pid
    await ended.spawned.process.wait()
    assert ended.tree.group == 0


async def test_a_rolled_back_one_leaves_no_children(tmp_path: Path, journal: Journal) -> None:
    """Also those that fled into a session of their own are killed."""
    fork = DOUBLE_FORK.format(journal=journal.path)
    body = f"{fork}\nwhile ! grep -q child {journal.path}; do sleep 0.01; done; exit 1"
    async with supervised(tmp_path, settle_seconds=5) as supervisor:
        app = executable(tmp_path / "app", program(journal.path, body))
        with pytest.raises(RolledBack):
            await supervisor.swap("v1", app, nothing)
        assert journal.pids("child")
        assert owned(tmp_path) == []


async def test_stubborn_trees_are_killed_after_the_stop_time_out(
    tmp_path: Path, journal: Journal
) -> None:
    """SIGTERM first; then SIGKILL reaches a deaf program and its double-forked children."""
    fork = DOUBLE_FORK.format(journal=journal.path)
    app = executable(tmp_path / "app", program(journal.path, fork, on_stop=":"))
    async with supervised(tmp_path, stop_timeout_seconds=0.3) as supervisor:
        await supervisor.swap("v1", app, nothing)
        await eventually(lambda: journal.pids("child"))
        child = journal.pids("child")[0]
        assert is_alive(child)
    assert "stop v1" in journal.lines()
    assert not is_alive(child)
    assert owned(tmp_path) == []


async def test_a_graceful_stop_is_given_its_time(tmp_path: Path, journal: Journal) -> None:
    """A program that finishes its work after the signal is not killed meanwhile."""
    ending = f'sleep 0.3; echo "done $DIRECTCD_VERSION $$" >> {journal.path}; exit 0'
    app = executable(tmp_path / "app", program(journal.path, on_stop=ending))
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v1", app, nothing)
    assert journal.lines() == ["start v1", "stop v1", "done v1"]


async def test_the_configured_signal_is_sent(tmp_path: Path, journal: Journal) -> None:
    """`stop_signal` replaces SIGTERM."""
    text = program(journal.path).replace(" TERM\n", " USR1\n")
    async with supervised(tmp_path, stop_signal="USR1") as supervisor:
        await supervisor.swap("v1", executable(tmp_path / "app", text), nothing)
    assert journal.lines() == ["start v1", "stop v1"]


async def test_an_unknown_signal_is_refused(tmp_path: Path) -> None:
    """The mistake shows before anything is started."""
    with pytest.raises(ValueError, match="no such signal"):
        ClientSettings(data=tmp_path, stop_signal="NONSENSE")


async def test_a_program_that_ends_is_started_again(tmp_path: Path, journal: Journal) -> None:
    """Each time it ends by itself, after a pause."""
    app = executable(tmp_path / "app", program(journal.path))
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v1", app, nothing)
        for life in (1, 2):
            pids = journal.pids("start v1")
            assert len(pids) == life
            _kill(pids[-1])
            await eventually(partial(_started_more_often, journal, life))
        assert supervisor.version == "v1"


def _started_more_often(journal: Journal, times: int) -> bool:
    return len(journal.pids("start v1")) > times


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def test_a_swap_during_the_pause_ends_the_restarts(tmp_path: Path, journal: Journal) -> None:
    """A version that was replaced is not started again."""
    app = executable(tmp_path / "app", program(journal.path))
    async with supervised(tmp_path, settle_seconds=0) as supervisor:
        await supervisor.swap("v1", app, nothing)
        await eventually(lambda: journal.pids("start v1"))
        _kill(journal.pids("start v1")[0])
        await supervisor.swap("v2", app, nothing)
        await eventually(lambda: journal.pids("start v2"))
        _kill(journal.pids("start v2")[0])
        await eventually(lambda: len(journal.pids("start v2")) == 2)
        assert len(journal.pids("start v1")) == 1


class HealthPeer(Peer):
    """Answers the given statuses one after the other, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self._statuses = itertools.chain(statuses, itertools.repeat(statuses[-1]))

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Say the next status."""
        respond(writer, next(self._statuses))


async def test_the_health_url_is_asked_until_it_says_yes(tmp_path: Path, journal: Journal) -> None:
    """Errors at first are normal; 2xx counts."""
    app = executable(tmp_path / "app", program(journal.path))
    async with serving(HealthPeer(503, 404, 200)) as peer:
        settings = {"health_url": f"{peer.url}/healthz"}
        async with supervised(tmp_path, **settings) as supervisor:
            await supervisor.swap("v1", app, nothing)
        assert len(peer.requests) == 3


async def test_an_unhealthy_one_is_killed_and_the_reason_told(
    tmp_path: Path, journal: Journal
) -> None:
    """After the health time-out nothing of it is left."""
    app = executable(tmp_path / "app", program(journal.path))
    async with serving(HealthPeer(500)) as peer:
        limits = {"health_url": peer.url, "health_timeout_seconds": 0.4}
        async with supervised(tmp_path, **limits) as supervisor:
            with pytest.raises(RolledBack, match=r"not healthy within 0.4 s: .* answered 500"):
                await supervisor.swap("v1", app, nothing)
            assert owned(tmp_path) == []


async def test_a_yes_of_the_health_url_does_not_excuse_a_crash(
    tmp_path: Path, journal: Journal
) -> None:
    """The predecessor may have answered in its place: it must outlive the settle time as well."""
    good = executable(tmp_path / "good", program(journal.path))
    bad = executable(tmp_path / "bad", program(journal.path, "sleep 0.1; exit 3"))
    async with serving(HealthPeer(200)) as peer, supervised(tmp_path, settle_seconds=0) as old:
        await old.swap("v1", good, nothing)
        async with supervised(tmp_path, settle_seconds=5, health_url=peer.url) as supervisor:
            with pytest.raises(RolledBack, match="status 3"):
                await supervisor.swap("v2", bad, nothing)
            assert is_alive(journal.pids("start v1")[0])


async def test_a_cancelled_swap_leaves_nothing_of_the_new(tmp_path: Path, journal: Journal) -> None:
    """Stopping in the middle of a proof kills the candidate and keeps the old one."""
    app = executable(tmp_path / "app", program(journal.path))
    async with supervised(tmp_path) as supervisor, asyncio.TaskGroup() as tasks:
        await supervisor.swap("v1", app, nothing)
        swap = tasks.create_task(supervisor.swap("v2", app, nothing))
        await eventually(lambda: journal.pids("start v2"))
        swap.cancel()
        await asyncio.wait({swap})
        assert supervisor.version == "v1"
        assert not is_alive(journal.pids("start v2")[0])


async def test_programs_of_an_earlier_life_serve_until_the_new_is_healthy(
    tmp_path: Path, journal: Journal
) -> None:
    """What a killed client left behind is stopped like any old one: last."""
    app = executable(tmp_path / "app", program(journal.path))
    await left_behind(tmp_path, app)
    async with supervised(tmp_path) as supervisor:
        await supervisor.swap("v2", app, lambda: journal.add("healthy v2"))
        assert journal.lines() == ["start v1", "start v2", "healthy v2", "stop v1"]


async def test_a_program_of_an_earlier_life_that_is_in_the_way_is_ended(
    tmp_path: Path, journal: Journal
) -> None:
    """It holds the port of what was healthy here before."""
    port = tmp_path / "port"
    taken = f"mkdir {port} || exit 98"
    app = executable(
        tmp_path / "app", program(journal.path, taken, on_stop=f"rmdir {port}; exit 0")
    )
    await left_behind(tmp_path, app)
    await eventually(port.exists)
    async with supervised(tmp_path) as supervisor:
        with pytest.raises(RolledBack):
            await supervisor.swap("v2", app, nothing)
        assert is_alive(journal.pids("start v1")[0])
        await supervisor.swap("v1", app, nothing, proven=True)
        assert supervisor.version == "v1"
        assert journal.lines()[2:] == ["start v1", "stop v1", "start v1"]


async def test_a_command_says_whether_it_is_healthy(tmp_path: Path, journal: Journal) -> None:
    """It sees the program's environment, and is asked until it exits with 0."""
    ready = tmp_path / "ready"
    app = executable(tmp_path / "app", program(journal.path, f"sleep 0.2; touch {ready}"))
    words = f'test -e {ready} && echo "asked $DIRECTCD_VERSION 0" >> {journal.path}'
    asks = ("sh", "-c", words)
    async with supervised(tmp_path, settle_seconds=0, health_command=asks) as supervisor:
        await supervisor.swap("v1", app, lambda: journal.add("healthy v1"))
        assert journal.lines() == ["start v1", "asked v1", "healthy v1"]


@pytest.mark.parametrize(
    ("words", "reason", "blameless"),
    [
        (("sh", "-c", "echo no data >&2; exit 3"), "health_command ended with 3: no data", False),
        (("/nonexistent",), "cannot be started: No such file", True),
        (("sleep", "60"), "did not end within", False),
    ],
    ids=["says no", "missing", "hangs"],
)
async def test_a_health_command_that_fails_says_why(
    tmp_path: Path, journal: Journal, words: tuple[str, ...], reason: str, *, blameless: bool
) -> None:
    """Its last line is the best hint; that it cannot be started is not the program's fault."""
    app = executable(tmp_path / "app", program(journal.path))
    limits = {
        "health_command": words,
        "health_timeout_seconds": 1,
        "settle_seconds": 0,
    }
    async with supervised(tmp_path, **limits) as supervisor:
        with pytest.raises(RolledBack, match=reason) as caught:
            await supervisor.swap("v1", app, nothing)
    assert caught.value.blameless == blameless
    assert owned(tmp_path) == []


async def test_without_overlap_the_old_one_stops_first(tmp_path: Path, journal: Journal) -> None:
    """For programs that cannot run twice; the old one comes back when the new one is sick."""
    good = executable(tmp_path / "good", program(journal.path))
    bad = executable(tmp_path / "bad", program(journal.path, "exit 3"))
    async with supervised(tmp_path, overlap=False) as supervisor:
        await supervisor.swap("v1", good, nothing)
        await supervisor.swap("v2", good, nothing)
        assert journal.lines() == ["start v1", "stop v1", "start v2"]
        with pytest.raises(RolledBack, match="v2 was started again"):
            await supervisor.swap("v3", bad, nothing)
        await eventually(lambda: len(journal.pids("start v2")) == 2)
        assert journal.lines()[3:] == ["stop v2", "start v3", "start v2"]
        assert supervisor.version == "v2"


async def test_signals_are_passed_on(tmp_path: Path, journal: Journal) -> None:
    """To the program's first process; without one they are nobody's."""
    body = f"trap 'echo \"told $DIRECTCD_VERSION $$\" >> {journal.path}' HUP"
    app = executable(tmp_path / "app", program(journal.path, body))
    async with supervised(tmp_path) as supervisor:
        supervisor.send_signal(signal.SIGHUP)
        await supervisor.swap("v1", app, nothing)
        supervisor.send_signal(signal.SIGHUP)
        await eventually(lambda: "told v1" in journal.lines())
