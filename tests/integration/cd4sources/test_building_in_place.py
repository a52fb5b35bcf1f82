"""go.mod edited where it stands: as committed afterwards, however the build or the server ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cd4sources.building import BuildFailed, Workspace
from cd4sources.building.caches import Caches
from cd4sources.building.in_place import editable, put_back
from cd4sources.building.lanes import Lanes
from cd4sources.building.workshop import Workshop
from cd4sources.running.commands import reap_leftovers
from cd4sources.running.confinement import Confinement, User
from cd4sources.settings import ServerSettings
from tests.chaos.delivery.tracing import Point, Tracer, is_possible
from tests.support.go_modules import (
    APP,
    GO_MARKS,
    GO_MOD,
    LIB,
    SIBLING,
    built,
    go_offline,
    recipe,
    said_by,
    workspace,
    write,
)
from tests.support.serving import target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

pytestmark = GO_MARKS
FILES = {name.removeprefix("app/"): text for name, text in APP.items()}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    go_offline(monkeypatch, tmp_path_factory)


@pytest.fixture
def _unmasked() -> Iterator[None]:
    """Tracing blocks a signal, which later tests' processes would inherit."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def state(tree: Path) -> dict[str, tuple[bytes, int]]:
    """What is in a directory: bytes and mode of each file."""
    return {one.name: (one.read_bytes(), one.stat().st_mode) for one in tree.iterdir()}


@pytest.mark.parametrize("vendored", [False, True], ids=["plain", "vendored"])
async def test_both_ways_make_the_same_program(tmp_path: Path, *, vendored: bool) -> None:
    """And so the same version; go.mod is as committed, its mode included."""
    files = {**APP, **SIBLING}
    if vendored:
        files["app/vendor/modules.txt"] = f"# {LIB} v1.2.3\n## explicit\n{LIB}\n"
    place = workspace(tmp_path, files)
    (place.tree / "go.mod").chmod(0o640)
    committed = [(one, one.lstat().st_mode) for one in sorted(place.tree.iterdir())]
    copied, literal = recipe(LIB), recipe(LIB, in_place=True)
    assert copied.fingerprint == literal.fingerprint
    expected = (await built(copied, place)).read_bytes()
    program = await built(literal, place)
    assert program.read_bytes() == expected
    assert said_by(program) == "sibling"
    assert [(one, one.lstat().st_mode) for one in sorted(place.tree.iterdir())] == committed
    assert not (tmp_path / "app.kept").exists()


@pytest.mark.parametrize("how", ["failure", "time-out", "link", "cancel"])
async def test_build_that_does_not_succeed_leaves_go_mod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Nor any go.sum that the commit has not."""
    place = workspace(tmp_path, {**APP, **SIBLING})
    committed = state(place.tree)
    if how == "failure":
        (place.siblings["/srv/lib"] / "lib.go").write_text("package lib\n\nnonsense\n")
    elif how == "link":
        (place.tree / "go.mod").rename(tmp_path / "elsewhere")
        (place.tree / "go.mod").symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.setenv("GOFLAGS", f"-toolexec={_hanging(tmp_path)}")
        place = replace(place, timeout_seconds=1.0 if how == "time-out" else 100.0)
    building = asyncio.create_task(built(recipe(LIB, in_place=True), place))
    if how == "cancel":
        await eventually((tmp_path / "hangs").exists)
        building.cancel()
    with pytest.raises((BuildFailed, asyncio.CancelledError)):
        await building
    assert state(place.tree) == committed


def _hanging(directory: Path) -> Path:
    """What go calls in place of its compiler: never ends, and says that it has begun."""
    program = directory / "hanging"
    # What go asks first is only its version, as part of the names of what it keeps.
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-V=full*) exec "$@";; esac\ntouch {directory}/hangs\nsleep 300\n'
    )
    program.chmod(0o755)
    return program


async def test_go_mod_is_as_committed_after_kill_9_in_mid_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next life's Workshop puts it back as soon as it is there, and builds."""
    sources = [Source(tmp_path / "app"), Source(tmp_path / "lib")]
    sources[0].commit(FILES)
    sources[1].commit({name.removeprefix("lib/"): text for name, text in SIBLING.items()})
    monkeypatch.setenv("GOFLAGS", f"-toolexec={_hanging(tmp_path)}")
    life = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(tmp_path))
    await eventually((tmp_path / "hangs").exists)
    tree = tmp_path / "data/trees/app/0-app"
    assert "=> ../1-lib" in (tree / "go.mod").read_text()
    life.kill()
    await life.wait()
    monkeypatch.setenv("GOFLAGS", "")
    await reap_leftovers(tmp_path / "data")
    shop = opened(tmp_path)
    assert {name: one[0].decode() for name, one in state(tree).items()} == FILES
    assert said_by(await one_build(shop, tmp_path)) == "sibling"


async def test_what_could_not_be_put_back_is_before_the_next_checkout(tmp_path: Path) -> None:
    """Afterwards it would be another commit's; and what is kept would be in the way."""
    app, lib = Source(tmp_path / "app"), Source(tmp_path / "lib")
    app.commit({**FILES, "go.mod": "not a go.mod\n"})
    lib.commit({name.removeprefix("lib/"): text for name, text in SIBLING.items()})
    shop = opened(tmp_path)
    with pytest.raises(BuildFailed, match=r"go mod edit ended with 1: \S*go\.mod:1: "):
        await one_build(shop, tmp_path)
    tree = tmp_path / "data/trees/app/0-app"
    (tmp_path / "data/trees/app/0-app.kept").mkdir()
    (tree / "go.mod").rename(tmp_path / "data/trees/app/0-app.kept/go.mod")
    app.commit(FILES)
    assert said_by(await one_build(shop, tmp_path)) == "sibling"
    assert (tree / "go.mod").read_text() == GO_MOD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can build as somebody else")
async def test_build_user_may_change_the_copy(tmp_path: Path) -> None:
    """And what is kept is out of its reach."""
    somebody = Confinement(user=User(65_534, 65_534))
    place = workspace(tmp_path, APP, siblings={}, confinement=somebody)
    async with editable(place) as file:
        assert file.stat().st_uid == 65_534
        assert (tmp_path / "app.kept").stat().st_uid == 0
    assert file.read_text() == GO_MOD


def opened(directory: Path) -> Workshop:
    """The Workshop of a target with a sibling, in place."""
    target = target_of("app", directory / "app", directory / "lib", in_place=True)
    first, lib = target.repositories
    target = replace(target, repositories=(first, replace(lib, replaces=LIB)))
    settings = ServerSettings(data=directory / "data")
    return Workshop(target, settings, Lanes(1), Caches(settings.data))


async def one_build(shop: Workshop, directory: Path) -> Path:
    """Fetch and build what there is."""
    plan = await shop.plan(await shop.fetch())
    made = await shop.build(plan, directory / "log", None)
    await shop.rest()
    return made.path


@pytest.mark.usefixtures("_unmasked")
@pytest.mark.parametrize("summed", [False, True], ids=["no-sum", "sum"])
def test_go_mod_survives_kill_9_at_every_change(tmp_path: Path, *, summed: bool) -> None:
    """Of the build's life and of that which puts it back, one after the other."""
    if not is_possible():
        pytest.skip("needs ptrace and seccomp")
    deaths = 0
    for first in range(1, 100):
        place, committed = _fresh(tmp_path / str(first), summed=summed)
        if _ends(place, _edited, first):
            break
        for second in range(1, 100):
            deaths += 1
            if _ends(place, _put_back, second):
                break
        assert state(place.tree) == committed
        assert [one.name for one in place.tree.parent.iterdir()] == ["app"]
    assert deaths > 20


def _fresh(directory: Path, *, summed: bool) -> tuple[Workspace, dict[str, tuple[bytes, int]]]:
    directory.mkdir()
    files = {"app/go.mod": "module app\n", **({"app/go.sum": "sum\n"} if summed else {})}
    write(directory / "trees", files)
    place = workspace(directory, {}, tree=directory / "trees/app", siblings={})
    return place, state(place.tree)


def _edited(place: Workspace) -> int:
    async def edit() -> None:
        async with editable(place) as file:
            file.write_text("changed\n")
            (place.tree / "go.sum").write_text("changed\n")

    asyncio.run(edit())
    return 0


def _put_back(place: Workspace) -> int:
    put_back(place.tree)
    return 0


def _ends(place: Workspace, life: Callable[[Workspace], int], last: int) -> bool:
    """Live until just before the last change; tell whether the life ended by itself."""

    def fault(tracer: Tracer, point: Point) -> int:
        if point.number == last:
            tracer.kill(tracer.pid)
        return 0

    tracer = Tracer(place.tree.parent, fault)
    tracer.start(lambda: life(place))
    status = tracer.wait(tracer.pid, 20.0)
    assert status in {0, -signal.SIGKILL}
    return status == 0


if __name__ == "__main__":
    here = Path(sys.argv[1])
    asyncio.run(one_build(opened(here), here))
