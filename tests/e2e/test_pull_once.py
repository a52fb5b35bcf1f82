"""`directcd pull --once` as a process: what it leaves running, and what its exit code says."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support.go_modules import GO_MARKS
from tests.support.pulled import program
from tests.support.pulling import (
    DIRECTCD,
    QUICK,
    Place,
    kill_programs,
    output,
    running,
    waiting_script,
)
from tests.support.sources import Source
from tests.support.waiting import eventually

pytestmark = GO_MARKS


async def test_once_leaves_the_program_running(place: Place) -> None:
    """0: it runs; 3: nothing new; 5: it could not be built, and the old one runs; 0: replaced."""
    status = place.path / "status.json"
    options = ("-o", "app", "--once", "--status-file", str(status))
    once = (*DIRECTCD, *place.repositories, *QUICK, *options)
    assert (await output(place, *once))[0] == 0
    await place.answer("one uno")
    assert (await output(place, *once))[0] == 3
    assert json.loads(status.read_text())["state"] == "running"
    place.modules.app.commit({"main.go": "package main\n\nfunc main() { broken }\n"})
    assert (await output(place, *once))[0] == 5
    assert place.living() == ["one uno"]
    place.modules.app.commit({"main.go": program("two")})
    assert (await output(place, *once))[0] == 0
    await place.answer("two uno")
    assert place.words() == ["one uno", "two uno"]
    place.modules.app.commit({"main.go": "package main\n\nfunc main() { panic(1) }\n"})
    assert (await output(place, *once))[0] == 6
    assert place.living() == ["two uno"]
    place.modules.app.path.rename(place.path / "away")
    assert (await output(place, *once))[0] == 7
    kill_programs(place)


@pytest.mark.parametrize("way", [(), ("--once",)], ids=["for ever", "once"])
async def test_a_directory_that_cannot_be_is_one_sentence(
    place: Place, way: tuple[str, ...]
) -> None:
    """No traceback, whoever reads it."""
    (place.path / "file").touch()
    command = (*DIRECTCD, *place.repositories, "-o", "app", "-w", "file/x", *way)
    code, _, err = await output(place, *command)
    assert (code, err.count("\n")) == (1, 1)
    assert "Not a directory; give it a directory that this user may write" in err


def shell_app(tmp_path: Path) -> Source:
    """A program that says `one _ PID` and waits."""
    source = Source(tmp_path / "git" / "shell")
    build_sh = 'case "$1" in build) chmod 755 words;; artifact) echo words;; esac\n'
    source.commit({"build.sh": build_sh, "words": waiting_script("one")})
    return source


async def test_once_finishes_a_swap_that_was_killed(place: Place, tmp_path: Path) -> None:
    """What was never healthy does not count as running, and the old one goes."""
    source = shell_app(tmp_path)
    once = (*DIRECTCD, "--repo", str(source.path), "-o", "app", "--once", "--settle")
    assert (await output(place, *once, "0.1"))[0] == 0
    source.commit({"words": waiting_script("two")})
    async with running(place, *once, "60") as process:
        await eventually(lambda: "two _" in place.living())
        process.kill()
        await process.wait()
        assert sorted(place.living()) == ["one _", "two _"]
        assert (await output(place, *once, "0.1"))[0] == 0
        assert place.living() == ["two _"]


async def test_once_ends_when_it_is_asked_to(place: Place, tmp_path: Path) -> None:
    """In mid-build, too; nothing of the build is left."""
    source = shell_app(tmp_path)
    source.commit({"build.sh": f"echo build _ $$ >>{place.path}/said; sleep 500\n"})
    command = (*DIRECTCD, "--repo", str(source.path), "-o", "app", "--once")
    async with running(place, *command) as process:
        await place.answer("build _")
        process.terminate()
        assert await process.wait() == 130
        assert place.living() == []


@pytest.mark.parametrize("closed", [">&- --json", "2>&-", "<&- >&- 2>&-"])
async def test_closed_streams_are_no_reason_not_to_deliver(
    place: Place, tmp_path: Path, closed: str
) -> None:
    """As those who start daemons leave them."""
    source = shell_app(tmp_path)
    command = shlex.join((*DIRECTCD, "--repo", str(source.path), *QUICK, "-o", "app", "--once"))
    assert (await output(place, "sh", "-c", f"exec {command} {closed}"))[0] == 0
    await place.answer("one _")
    kill_programs(place)
