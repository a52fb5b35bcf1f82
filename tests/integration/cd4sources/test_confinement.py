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

from cd4sources.confinement import CannotConfine, Confinement
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
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


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
        assert follower.current is not None
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
