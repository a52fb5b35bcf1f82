"""Mirrors and build trees: real git over HTTP, with what developers and crashes do to it."""

import contextlib
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from cd4sources.git import Git
from cd4sources.repository import Mirror, RefMissing, RepositoryError, Unreachable
from cd4sources.settings import RepositorySettings
from cd4sources.targets import Repository
from tests.support.githttp import GitServer
from tests.support.sources import Source

USER = "dev"
PASSWORD = "c4n4ry-p4ssw0rd"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "app")
    made.commit({"a.txt": "one\n"})
    return made


@pytest.fixture
def server(tmp_path: Path, source: Source) -> Iterator[GitServer]:
    with GitServer.serving(tmp_path / "git", user=USER, password=PASSWORD) as running:
        yield running


def mirror(tmp_path: Path, url: str, ref: str = "") -> Mirror:
    repository = Repository.from_settings(RepositorySettings(url=SecretStr(url), ref=ref))
    return Mirror(tmp_path / "mirror", repository, Git(tmp_path / "data", 8.0))


def contents(tree: Path) -> dict[str, tuple[int, bytes]]:
    """Every path in a tree with its mode and bytes."""
    found = {}
    for path in sorted(tree.rglob("*")):
        data = bytes(path.readlink()) if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
        found[str(path.relative_to(tree))] = (stat.S_IMODE(path.lstat().st_mode), data)
    return found


def files_with(text: str, directory: Path) -> list[Path]:
    """The files under a directory that hold a text."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def process_table() -> str:
    """Arguments and environments of every process, as anybody of this user can read them."""
    seen = []
    for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
        with contextlib.suppress(OSError):
            seen.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(seen)


async def test_fetch_needs_the_password(tmp_path: Path, server: GitServer, source: Source) -> None:
    """User and password of the URL reach the remote, whatever characters they hold."""
    url = server.url("app", USER, PASSWORD)
    assert await mirror(tmp_path, url).fetch() == source.git("rev-parse", "HEAD")


async def test_head_is_the_default(tmp_path: Path, source: Source) -> None:
    """Without a ref, what the remote's HEAD names is followed, also when it changes."""
    one = mirror(tmp_path, str(source.path))
    first = await one.fetch()
    source.git("checkout", "--quiet", "-b", "trunk")
    second = source.commit({"a.txt": "two\n"})
    assert (await one.fetch(), first != second) == (second, True)


@pytest.mark.parametrize("ref", ["dev", "refs/heads/dev"])
async def test_fetch_by_ref(tmp_path: Path, source: Source, ref: str) -> None:
    """The configured branch is followed, not HEAD."""
    source.git("checkout", "--quiet", "-b", "dev")
    wanted = source.commit({"a.txt": "dev\n"})
    source.git("checkout", "--quiet", "main")
    assert await mirror(tmp_path, str(source.path), ref).fetch() == wanted


async def test_annotated_tag_gives_its_commit(tmp_path: Path, source: Source) -> None:
    """A tag object is not a commit; the commit behind it is what is built."""
    source.git("tag", "--annotate", "v1", "--message", "one")
    wanted = source.git("rev-parse", "HEAD")
    assert await mirror(tmp_path, str(source.path), "refs/tags/v1").fetch() == wanted


async def test_force_push_is_followed(tmp_path: Path, source: Source) -> None:
    """A branch that was rewritten is what it is now."""
    one = mirror(tmp_path, str(source.path))
    first = await one.fetch()
    source.git("commit", "--quiet", "--amend", "--message", "rewritten")
    assert await one.fetch() == source.git("rev-parse", "HEAD") != first


async def test_missing_ref_says_so(tmp_path: Path, source: Source) -> None:
    """A ref that is not there is told apart from a remote that is not there."""
    with pytest.raises(RefMissing, match="refs/heads/nope: no such ref"):
        await mirror(tmp_path, str(source.path), "nope").fetch()


async def test_empty_repository_has_no_head(tmp_path: Path) -> None:
    """Nothing pushed yet is a missing ref."""
    empty = Source(tmp_path / "empty")
    with pytest.raises(RefMissing):
        await mirror(tmp_path, str(empty.path)).fetch()


async def test_wrong_password_shows_reason_not_password(tmp_path: Path, server: GitServer) -> None:
    """The message says that access was refused, and shows neither user nor password."""
    with pytest.raises(Unreachable, match="Authentication failed") as raised:
        await mirror(tmp_path, server.url("app", USER, "wr0ng-c4n4ry")).fetch()
    assert "wr0ng" not in str(raised.value)


async def test_unreachable_remote_shows_reason(tmp_path: Path, server: GitServer) -> None:
    """The message holds git's reason, and no credential."""
    server.close()
    with pytest.raises(Unreachable, match="Failed to connect") as raised:
        await mirror(tmp_path, server.url("app", USER, PASSWORD)).fetch()
    assert PASSWORD not in str(raised.value)


async def test_silent_remote_is_given_up(tmp_path: Path, server: GitServer) -> None:
    """A remote that takes the question and never answers costs the time-out, not for ever."""
    answer = threading.Event()
    server.on_request = answer.wait
    repository = Repository(server.url("app"))
    with pytest.raises(Unreachable, match="git fetch did not end within"):
        await Mirror(tmp_path / "mirror", repository, Git(tmp_path / "data", 0.3)).fetch()
    answer.set()


async def test_redirect_never_gets_the_password(tmp_path: Path, server: GitServer) -> None:
    """A remote with a password is not followed to another address."""
    with GitServer.serving(tmp_path / "git", user=USER, password=PASSWORD) as thief:
        server.redirect_to = thief.url("")[:-1]
        with pytest.raises(Unreachable):
            await mirror(tmp_path, server.url("app", USER, PASSWORD)).fetch()
    assert not thief.requests


@pytest.mark.parametrize("url", ["ext::sh -c true", "ext::true", "fd::7", "/nowhere/at/all"])
async def test_helper_transports_are_refused(tmp_path: Path, url: str) -> None:
    """A URL cannot name a program to run."""
    repository = Repository(url)
    with pytest.raises(Unreachable):
        await Mirror(tmp_path / "mirror", repository, Git(tmp_path / "data", 8.0)).fetch()


async def test_password_is_not_kept_anywhere(
    tmp_path: Path, server: GitServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After fetch and checkout no file of ours and no log line holds the password."""
    one = mirror(tmp_path, server.url("app", USER, PASSWORD))
    await one.checkout(await one.fetch(), tmp_path / "trees" / "app")
    assert not files_with(PASSWORD, tmp_path)
    assert PASSWORD not in caplog.text


async def test_password_is_in_no_process(tmp_path: Path, server: GitServer) -> None:
    """While git speaks with the remote, no argument and no variable of a process holds it."""
    tables: list[str] = []
    server.on_request = lambda: tables.append(process_table())
    await mirror(tmp_path, server.url("app", USER, PASSWORD)).fetch()
    assert any("git-remote-http" in table and "GIT_ASKPASS" in table for table in tables)
    assert not any(PASSWORD in table for table in tables)


async def test_broken_mirror_is_cloned_again(tmp_path: Path, source: Source) -> None:
    """A mirror that git cannot use is thrown away, and the same fetch succeeds."""
    one = mirror(tmp_path, str(source.path))
    first = await one.fetch()
    shutil.rmtree(tmp_path / "mirror" / "objects")
    assert await one.fetch() == first


async def test_a_hiccup_does_not_cost_the_mirror(
    tmp_path: Path, server: GitServer, source: Source
) -> None:
    """A remote that failed once and then answers is asked again before the mirror is blamed."""
    one = mirror(tmp_path, server.url("app", USER, PASSWORD))
    await one.fetch()
    (tmp_path / "mirror" / "kept").touch()
    server.fail_next = [500]
    wanted = source.commit({"a.txt": "two\n"})
    assert await one.fetch() == wanted
    assert (tmp_path / "mirror" / "kept").exists()


async def test_stale_locks_are_dropped(tmp_path: Path, source: Source) -> None:
    """A lock that a killed git left does not stop the next one."""
    await mirror(tmp_path, str(source.path)).fetch()
    lock = tmp_path / "mirror" / "refs" / "directcd" / "tip.lock"
    lock.touch()
    wanted = source.commit({"a.txt": "two\n"})
    assert await mirror(tmp_path, str(source.path)).fetch() == wanted
    assert not lock.exists()


async def test_checkout_has_no_git_directory(tmp_path: Path, source: Source) -> None:
    """A build sees the commit's files and nothing of git."""
    one = mirror(tmp_path, str(source.path))
    tree = tmp_path / "trees" / "app"
    await one.checkout(await one.fetch(), tree)
    assert [path.name for path in tree.iterdir()] == ["a.txt"]


async def test_updated_tree_equals_a_fresh_one(tmp_path: Path, source: Source) -> None:
    """Files removed, renamed, changed in mode or kind, and everything a build left: all undone."""
    source.commit(
        {"b/deep/c.txt": "c\n", "run.sh": "#!/bin/sh\n", "gone": "x", ".gitignore": "out"}
    )
    one = mirror(tmp_path, str(source.path))
    tree = tmp_path / "trees" / "app"
    await one.checkout(await one.fetch(), tree)
    _litter(tree)
    source.git("mv", "b/deep/c.txt", "renamed.txt")
    (source.path / "run.sh").chmod(0o755)
    (source.path / "link").symlink_to("a.txt")
    commit = source.commit({"gone": None, "gone/is/a/directory": "now\n"})
    assert await one.fetch() == commit
    await one.checkout(commit, tree)
    await one.checkout(commit, tmp_path / "trees" / "fresh")
    assert contents(tree) == contents(tmp_path / "trees" / "fresh")


async def test_same_commit_again_is_cleaned(tmp_path: Path, source: Source) -> None:
    """What a build changed is undone also when the commit stays."""
    one = mirror(tmp_path, str(source.path))
    commit, tree = await one.fetch(), tmp_path / "trees" / "app"
    await one.checkout(commit, tree)
    before = contents(tree)
    _litter(tree)
    await one.checkout(commit, tree)
    assert contents(tree) == before


@pytest.mark.parametrize("damage", ["marker", "index", "lock", "tree"])
async def test_tree_in_doubt_is_made_anew(tmp_path: Path, source: Source, damage: str) -> None:
    """A half-made tree, a lost or damaged index, a left lock: the tree is complete afterwards."""
    one = mirror(tmp_path, str(source.path))
    commit, tree = await one.fetch(), tmp_path / "trees" / "app"
    await one.checkout(commit, tree)
    before = contents(tree)
    match damage:
        case "marker":
            (tmp_path / "trees" / "app.commit").unlink()
            (tree / "a.txt").write_text("half")
        case "index":
            (tmp_path / "trees" / "app.index").write_bytes(b"garbage")
        case "lock":
            (tmp_path / "trees" / "app.index.lock").touch()
        case _:
            shutil.rmtree(tree)
    await one.checkout(commit, tree)
    assert contents(tree) == before


async def test_unreadable_commit_throws_the_mirror_away(tmp_path: Path, source: Source) -> None:
    """Objects that vanished are an error now and a fresh clone at the next pass."""
    one = mirror(tmp_path, str(source.path))
    commit = await one.fetch()
    shutil.rmtree(tmp_path / "mirror" / "objects")
    with pytest.raises(RepositoryError, match="clones it again"):
        await one.checkout(commit, tmp_path / "trees" / "app")
    assert await one.fetch() == commit


def _litter(tree: Path) -> None:
    """What a careless build leaves."""
    (tree / "a.txt").write_text("changed by the build\n")
    (tree / "out").mkdir()
    (tree / "out" / "artifact").write_text("x")
    (tree / ".git" / "objects").mkdir(parents=True)
    (tree / "vendor" / ".git").mkdir(parents=True)
    (tree / "readonly").mkdir()
    (tree / "readonly" / "file").touch()
    (tree / "readonly").chmod(0o500)


async def test_a_ref_is_found_by_its_whole_name(tmp_path: Path, source: Source) -> None:
    """Another ref that ends like ours is not ours, and no reason to throw the mirror away."""
    source.git("update-ref", "refs/pull/refs/heads/dev", "HEAD")
    opened = mirror(tmp_path, str(source.path), "dev")
    with pytest.raises(RefMissing):
        await opened.fetch()
