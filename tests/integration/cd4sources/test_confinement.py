"""Confined builds: bubblewrap, and another user, with the whole server around them."""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cd4sources.building.base import BuildFailed, Workspace, step
from cd4sources.building.go import GoRecipe
from cd4sources.running.confinement import CannotConfine, Confinement
from cd4sources.running.nursing import Nanny
from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source


def needs(present: object, reason: str) -> None:
    """Skip without something that CI must have."""
    if not present and os.environ.get("CI") == "true":
        pytest.fail(f"CI must have it: {reason}")
    if not present:
        pytest.skip(reason)


def sandbox_works() -> bool:
    """Whether bubblewrap is there, and the kernel lets it."""
    argv = ("bwrap", "--ro-bind", "/", "/", "--unshare-pid", "true")
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0
    return False


@pytest.fixture
def nobody() -> pwd.struct_passwd:
    """A user that is not us."""
    needs(os.geteuid() == 0, "only root can build as somebody else")
    return pwd.getpwnam("nobody")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A data directory that other users may reach, outside /tmp, which a sandbox hides anyway."""
    with TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "data"


async def built(data: Path, source: Source, script: str, **settings: Any) -> str:
    """What a build.sh prints into its artifact, on a second commit of an existing tree."""
    async with serving(data, target_of("app", source.path), **settings) as running:
        source.commit({"build.sh": f'test "$1" = artifact || {{ {script}; }} >words\n{BUILD_SH}'})
        follower = await running.look()
        assert follower.failure is None, follower.failure
        assert follower.offer.current is not None
        return (await running.http.get("/download", params={"repo": str(source.path)})).text


async def test_sandbox_hides_the_data_directory(reachable: Path, source: Source) -> None:
    """A build sees its own tree and HOME, and nothing of mirrors, versions and other targets."""
    needs(sandbox_works(), "bubblewrap is not installed, or may not do its work here")
    script = f"ls {reachable} {reachable}/trees; touch $HOME/x $TMPDIR/x && echo ok"
    seen = await built(reachable, source, script, build_sandbox="bubblewrap")
    assert [line for line in seen.split() if "/" not in line] == ["rooms", "trees", "app", "ok"]


async def test_sandbox_is_read_only_around_the_tree(tmp_path: Path, source: Source) -> None:
    """Neither the machine's files nor its processes are within reach."""
    needs(sandbox_works(), "bubblewrap is not installed, or may not do its work here")
    attempts = "touch /usr/x 2>&1 || echo read-only; umount /tmp 2>&1 || echo kept"
    script = f"{{ {attempts}; }} | grep '^[a-z-]*$'; ls -d /proc/[0-9]* | wc -l"
    seen = await built(tmp_path / "data", source, script, build_sandbox="bubblewrap")
    read_only, kept, processes = seen.split()
    assert (read_only, kept, int(processes) < 10) == ("read-only", "kept", True)


async def test_missing_sandbox_fails_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without bubblewrap nothing is built unconfined, and the error says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotConfine, match="install the package bubblewrap"):
        Confinement(sandboxed=True).command(("sh",), tmp_path, ())


async def test_build_user_builds_and_git_goes_on(
    reachable: Path, source: Source, nobody: pwd.struct_passwd
) -> None:
    """The build is somebody else, its tree is writable, and the server's git updates that tree."""
    script = "id -u; id -g; id -G | wc -w; touch new; mkdir -p deep/er"
    seen = await built(reachable, source, script, build_user="nobody")
    assert seen.split() == [str(nobody.pw_uid), str(nobody.pw_gid), "1"]


async def test_build_user_cannot_read_the_rest(
    reachable: Path, source: Source, nobody: pwd.struct_passwd
) -> None:
    """Mirrors and versions are the server's alone; no setuid program leads out."""
    script = f"ls {reachable}/mirrors {reachable}/versions; grep NoNewPrivs /proc/self/status"
    seen = await built(reachable, source, f"{{ {script}; }} 2>&1", build_user="nobody")
    assert (seen.count("Permission denied"), seen.split()[-1]) == (2, "1")


async def test_build_user_and_sandbox_together(
    reachable: Path, source: Source, nobody: pwd.struct_passwd
) -> None:
    """Both at once, where the kernel lets users make namespaces."""
    needs(sandbox_works(), "bubblewrap is not installed, or may not do its work here")
    settings = {"build_user": "nobody", "build_sandbox": "bubblewrap"}
    assert (await built(reachable, source, "id -u", **settings)).split() == [str(nobody.pw_uid)]


def test_hard_links_keep_their_owner(tmp_path: Path, nobody: pwd.struct_passwd) -> None:
    """A link that a build made to another's file does not make it the build's."""
    confinement = Confinement.from_settings(ServerSettings(build_user="nobody"))
    (tmp_path / "secret").touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "plain").touch()
    (tree / "stolen").hardlink_to(tmp_path / "secret")
    confinement.hand_over([tree])
    owners = [(tree / name).stat().st_uid for name in ("plain", "stolen")]
    assert owners == [nobody.pw_uid, os.geteuid()]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A directory of ours, with a file in it, that no build may get hold of."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "secret").touch()
    return tmp_path / "victim"


def workspace(data: Path, confinement: Confinement) -> Workspace:
    """Where a build of a target without siblings works."""
    return Workspace(
        tree=data / "trees" / "app",
        room=data / "rooms" / "app",
        data=data,
        log=data / "builds" / "log",
        nanny=Nanny(data),
        timeout_seconds=30.0,
        environment={},
        confinement=confinement,
    )


@pytest.mark.parametrize("planted", ["out", "go", "go/cache", "home", "home/deep"])
async def test_no_link_gives_away_what_it_leads_to(
    reachable: Path, victim: Path, nobody: pwd.struct_passwd, planted: str
) -> None:
    """What a build may write is made anew where a link stands, and links in it are left alone."""
    settings = ServerSettings(build_user="nobody")
    place = workspace(reachable, Confinement.from_settings(settings))
    (place.room / planted).parent.mkdir(parents=True)
    (place.room / planted).symlink_to(victim)
    place.prepare()
    async with place.nanny:
        caches = (place.room / "out", place.room / "go")
        await step(place, ("touch", *(f"{one}/new" for one in caches)), "touch", {}, caches)
    assert [path.lstat().st_uid for path in (victim, victim / "secret")] == [os.geteuid()] * 2
    assert os.listdir(victim) == ["secret"]  # noqa: PTH208 -- nothing waits for it


async def test_confined_target_has_go_caches_of_its_own(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In shared ones a build could leave code for another target's."""
    needs(sandbox_works(), "bubblewrap is not installed, or may not do its work here")
    go = reachable.parent / "bin" / "go"  # where the sandbox does not hide it, wherever ours is
    go.parent.mkdir()
    go.write_text('#!/bin/sh\nmkdir -p "$GOCACHE" && touch "$GOCACHE/mine"; exit 1\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GOCACHE", str(reachable / "shared"))
    place = workspace(reachable, Confinement(sandboxed=True))
    place.prepare()
    (place.tree / "go.mod").write_text("module app\n")
    async with place.nanny:
        with pytest.raises(BuildFailed, match="go build ended with 1"):
            await GoRecipe(target_of("app", "/srv/app")).build(place)
    assert (place.room / "go" / "cache" / "mine").exists()
    assert not (reachable / "shared").exists()


async def test_room_is_the_servers(
    reachable: Path, source: Source, nobody: pwd.struct_passwd
) -> None:
    """A build cannot put anything where the server will look for directories of its own making."""
    script = 'ln -s /etc "$HOME/../out"; mv "$HOME" "$HOME/../moved"'
    seen = await built(reachable, source, f"{{ {script}; }} 2>&1", build_user="nobody")
    assert seen.count("Permission denied") == 2


def test_room_that_a_build_owns_is_made_anew(reachable: Path, nobody: pwd.struct_passwd) -> None:
    """Its owner could put anything into it at any time."""
    settings = ServerSettings(build_user="nobody")
    place = workspace(reachable, Confinement.from_settings(settings))
    place.room.mkdir(parents=True)
    os.chown(place.room, nobody.pw_uid, nobody.pw_gid)
    place.prepare()
    assert [path.stat().st_uid for path in (place.room, place.home)] == [0, nobody.pw_uid]


async def test_sources_are_not_every_users(reachable: Path, nobody: pwd.struct_passwd) -> None:
    """Of all users only the build user may enter where trees and rooms are."""
    async with serving(reachable, build_user="nobody"):
        for name in ("trees", "rooms"):
            found = (reachable / name).stat()
            assert (found.st_mode & 0o777, found.st_gid) == (0o710, nobody.pw_gid)
        assert (reachable / "go").stat().st_mode & 0o777 == 0o700


async def test_unreachable_data_is_said_at_start(tmp_path: Path, nobody: pwd.struct_passwd) -> None:
    """A build user that cannot enter its tree would fail in ways nobody understands."""
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(CannotConfine, match="cannot reach"):
        async with serving(tmp_path / "closed" / "data", build_user="nobody"):
            pass


def test_unknown_build_user_is_said_at_start() -> None:
    """Before anything is fetched."""
    with pytest.raises(CannotConfine, match="no user 'nosuchuser'"):
        create_app(ServerSettings(build_user="nosuchuser"), [])
