"""Where the words of a real program that ends are to be found, and what the last of them are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cd4sources.delivery.programs import Ended, start
from cd4sources.delivery.supervising import RolledBack
from cd4sources.running import last_words
from cd4sources.running.commands import Outputs
from cd4sources.settings import ClientSettings
from tests.integration.cd4sources.programs import Journal, executable, program
from tests.integration.cd4sources.supervisors import nothing, supervised

NO_MODULE = "ModuleNotFoundError: No module named 'flask'"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a container nor a unit, wherever the tests run."""
    monkeypatch.setattr(last_words, "_CONTAINERS", {})
    for name in ("KUBERNETES_SERVICE_HOST", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def a_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


async def ending(tmp_path: Path, descriptor: int, body: str = "exit 3") -> str:
    """How a program ends that writes to a descriptor; its pid is put as PID."""
    app = executable(tmp_path / "app", f"#!/bin/sh\n{body}\n")
    settings, outputs = ClientSettings(data=tmp_path), Outputs(stderr=descriptor)
    started = await start("v1", app, settings, (str(app),), (), outputs=outputs)
    with pytest.raises(Ended) as caught:
        await started.live_on(5)
    return str(caught.value).replace(str(started.spawned.process.pid), "PID")


async def test_the_last_line_in_a_file_is_quoted(tmp_path: Path) -> None:
    """Of what was written since the start, though ours is open for writing alone."""
    log = tmp_path / "app.log"
    log.write_text("Error: an older one\n")
    with log.open("ab") as file:
        told = await ending(tmp_path, file.fileno(), f'echo "{NO_MODULE}" >&2; exit 1')
    assert told.startswith("it exited with status 1 after 0.")
    assert told.endswith(f" s (pid PID, which wrote to {log}, at last: {NO_MODULE})")


async def test_a_signal_has_its_name(tmp_path: Path) -> None:
    """And who has said nothing is not quoted."""
    log = tmp_path / "app.log"
    log.write_text("Error: an older one\n")
    with log.open("ab") as file:
        told = await ending(tmp_path, file.fileno(), "kill -SEGV $$")
    assert told.startswith("it was ended by SIGSEGV after ")
    assert told.endswith(f"(pid PID, which wrote to {log})")


async def test_a_journal_is_named_only_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is inherited also by those whose standard error goes elsewhere."""
    with a_pipe() as writing:
        status = os.fstat(writing)
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert "(pid PID, which wrote to the journal: journalctl _PID=PID)" in await ending(
            tmp_path, writing
        )
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:1")
        assert "which wrote to directcd's standard error, which is pipe:[" in await ending(
            tmp_path, writing
        )


@pytest.mark.parametrize("command", ["docker logs", "podman logs", "kubectl logs"])
async def test_a_pipe_in_a_container_is_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """With what shows it."""
    monkeypatch.setattr(last_words, "_CONTAINERS", {str(tmp_path): command})
    if command == "kubectl logs":
        monkeypatch.setattr(last_words, "_CONTAINERS", {str(tmp_path): "docker logs"})
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with a_pipe() as writing:
        monkeypatch.setattr(last_words, "_FIRST", Path(f"/proc/self/fd/{writing}"))
        told = await ending(tmp_path, writing)
    assert told.endswith(f"(pid PID, which wrote to the container's log: {command})")


async def test_a_pipe_inside_a_container_is_not_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has put a program between: the words are with that."""
    monkeypatch.setattr(last_words, "_CONTAINERS", {str(tmp_path): "docker logs"})
    with a_pipe() as writing, a_pipe() as other:
        monkeypatch.setattr(last_words, "_FIRST", Path(f"/proc/self/fd/{other}"))
        told = await ending(tmp_path, writing)
    assert "directcd's standard error, which is pipe:" in told


async def test_a_terminal_is_one(tmp_path: Path) -> None:
    """Nothing is read from it."""
    ours, theirs = os.openpty()
    told = await ending(tmp_path, theirs, "echo gone >&2; exit 3")
    assert told.endswith("(pid PID, which wrote to the terminal of directcd)")
    os.close(ours)
    os.close(theirs)


async def test_what_is_thrown_away_is_said_to_be(tmp_path: Path) -> None:
    """Nobody looks for it then."""
    thrown_away = os.open(os.devnull, os.O_WRONLY)
    told = await ending(tmp_path, thrown_away, "echo gone >&2; exit 3")
    os.close(thrown_away)
    assert told.endswith("which wrote to directcd's standard error, which is /dev/null)")


def test_no_descriptor_at_all_raises_nothing() -> None:
    """A daemon may have closed its own."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    words = last_words.from_now_on(writing)
    assert words.of(7) == "(pid 7, which wrote to nowhere: standard error is closed)"


async def test_one_that_lives_and_is_not_healthy_has_words_too(
    tmp_path: Path, journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    """Standard error of this process is a file while pytest captures it."""
    app = executable(tmp_path / "app", program(journal.path, 'echo "Error: no database" >&2'))
    changes = {"health_command": ("false",), "health_timeout_seconds": 0.2}
    async with supervised(tmp_path, **changes) as supervisor:
        with pytest.raises(RolledBack, match=r"not healthy within .* at last: Error: no database"):
            await supervisor.swap("v1", app, nothing)
    assert "Error: no database" in capfd.readouterr().err
