"""Mirrors and build trees: real git over HTTP, with what developers and crashes do to it."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings
from cd4sources.sources.git import Git
from cd4sources.sources.remotes import Remotes
from cd4sources.sources.repository import Mirror, RefMissing, RepositoryError, Unreachable
from cd4sources.sources.tips import Tips
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


def settings_of(url: str, ref: str = "") -> RepositorySettings:
    return RepositorySettings(url=SecretStr(url), ref=ref)


def mirror(tmp_path: Path, url: str, ref: str = "") -> Mirror:
    repository = Repository.from_settings(settings_of(url, ref))
    return Mirror(tmp_path / "mirror", repository, Git(tmp_path / "data", 8.0))


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


@pytest.mark.parametrize("user", [USER, ""])
async def test_redirect_is_not_followed_but_told(
    tmp_path: Path, server: GitServer, user: str
) -> None:
    """The new address is the operator's to set; it is named without what it may hold of secrets."""
    with GitServer.serving(tmp_path / "git", user=USER, password=PASSWORD) as thief:
        server.redirect_to = thief.url("", "x", "s3cr3t")[:-1]
        repository = Repository.from_settings(settings_of(server.url("app", user, PASSWORD)))
        async with aclosing(Remotes()) as remotes:
            one = Mirror(tmp_path / "m", repository, Git(tmp_path / "data", 8.0), Tips(remotes, {}))
            with pytest.raises(Unreachable, match=f"set `url` to {thief.url('app')}$"):
                await one.fetch()
    assert not thief.requests


async def test_redirect_without_a_place_is_told(tmp_path: Path, server: GitServer) -> None:
    """Also where nobody may be asked but by git."""
    server.redirect_to = "http://127.0.0.1:1"
    with pytest.raises(Unreachable, match="set `url` to where the repository has moved"):
        await mirror(tmp_path, server.url("app", USER, PASSWORD)).fetch()


@pytest.mark.parametrize("url", ["ext::sh -c true", "ext::true", "fd::7", "/nowhere/at/all"])
async def test_helper_transports_are_refused(tmp_path: Path, url: str) -> None:
    """A URL cannot name a program to run."""
    repository = Repository(url)
    with pytest.raises(Unreachable):
        await Mirror(tmp_path / "mirror", repository, Git(tmp_path / "data", 8.0)).fetch()


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


async def test_unreadable_commit_throws_the_mirror_away(tmp_path: Path, source: Source) -> None:
    """Objects that vanished are an error now and a fresh clone at the next pass."""
    one = mirror(tmp_path, str(source.path))
    commit = await one.fetch()
    shutil.rmtree(tmp_path / "mirror" / "objects")
    with pytest.raises(RepositoryError, match="clones it again"):
        await one.checkout(commit, tmp_path / "trees" / "app")
    assert await one.fetch() == commit


async def test_a_ref_is_found_by_its_whole_name(tmp_path: Path, source: Source) -> None:
    """Another ref that ends like ours is not ours, and no reason to throw the mirror away."""
    source.git("update-ref", "refs/pull/refs/heads/dev", "HEAD")
    opened = mirror(tmp_path, str(source.path), "dev")
    with pytest.raises(RefMissing):
        await opened.fetch()


@pytest.mark.parametrize(
    "leftover", ["refs/directcd/tip.lock", "objects/pack/tmp_pack_x", "gc.pid"]
)
async def test_what_a_killed_git_left_is_dropped_in_this_life_too(
    tmp_path: Path, source: Source, leftover: str
) -> None:
    """A git that took too long leaves its lock to the next pass of the same mirror."""
    one = mirror(tmp_path, str(source.path))
    await one.fetch()
    (tmp_path / "mirror" / leftover).touch()
    wanted = source.commit({"a.txt": "two\n"})
    assert await one.fetch() == wanted
    assert not (tmp_path / "mirror" / leftover).exists()


async def test_the_old_mirror_stays_until_a_new_one_is_there(
    tmp_path: Path, server: GitServer, source: Source
) -> None:
    """Damaged, it still may hold what a build needs; it goes when a fresh one was fetched."""
    one = mirror(tmp_path, server.url("app", USER, PASSWORD))
    commit = await one.fetch()
    (tmp_path / "mirror" / "HEAD").write_text("damaged")
    server.on_request = lambda: server.fail_next.extend([500] * (len(server.requests) > 6))
    source.commit({"a.txt": "two\n"})
    with pytest.raises(RepositoryError):
        await one.fetch()
    assert (tmp_path / "mirror" / "objects").is_dir()
    server.on_request = lambda: None
    server.fail_next.clear()
    assert await one.fetch() != commit
    assert not (tmp_path / "mirror.new").exists()
    assert not (tmp_path / "mirror.old").exists()


async def test_sha256_repositories_are_mirrored(tmp_path: Path) -> None:
    """The mirror becomes of the remote's kind; fetch and checkout go on as with any other."""
    source = Source(tmp_path / "new", object_format="sha256")
    first = source.commit({"a.txt": "one\n"})
    one = mirror(tmp_path, str(source.path))
    assert (await one.fetch(), len(first)) == (first, 64)
    source.commit({"a.txt": "two\n"})
    await one.checkout(await one.fetch(), tmp_path / "tree")
    assert (tmp_path / "tree" / "a.txt").read_text() == "two\n"


async def test_a_repository_that_was_made_anew_is_followed(tmp_path: Path) -> None:
    """With other history, and even with another kind of names."""
    first = Source(tmp_path / "app")
    first.commit({"a.txt": "one\n"})
    one = mirror(tmp_path, str(first.path))
    await one.fetch()
    shutil.rmtree(tmp_path / "app")
    second = Source(tmp_path / "app", object_format="sha256")
    wanted = second.commit({"a.txt": "two\n"})
    assert await one.fetch() == wanted


async def test_a_branch_that_was_deleted_and_made_again_is_followed(
    tmp_path: Path, source: Source
) -> None:
    """While it is gone that is said; then it is what it is now."""
    source.git("branch", "dev")
    one = mirror(tmp_path, str(source.path), "dev")
    await one.fetch()
    source.git("branch", "--delete", "dev")
    with pytest.raises(RefMissing):
        await one.fetch()
    wanted = source.commit({"a.txt": "again\n"})
    source.git("branch", "dev")
    assert await one.fetch() == wanted


async def test_a_renamed_default_branch_is_followed(tmp_path: Path, source: Source) -> None:
    """HEAD names what it names now, also when the old branch is gone."""
    one = mirror(tmp_path, str(source.path))
    await one.fetch()
    source.git("branch", "--move", "main", "trunk")
    wanted = source.commit({"a.txt": "on trunk\n"})
    assert await one.fetch() == wanted


async def test_many_small_fetches_are_packed(tmp_path: Path, source: Source) -> None:
    """When loose objects have become many; what was fetched stays."""
    one = mirror(tmp_path, str(source.path))
    await one.fetch()
    seventeen = tmp_path / "mirror" / "objects" / "17"
    seventeen.mkdir(exist_ok=True)
    await one.pack()
    assert not list((tmp_path / "mirror").glob("objects/pack/*.pack"))
    for number in range(9):
        (seventeen / f"{number:038x}").write_bytes(b"")
    await one.pack()
    assert not list((tmp_path / "mirror").glob("objects/pack/*.pack"))
    commit = await one.fetch()
    await one.pack()
    assert list((tmp_path / "mirror").glob("objects/pack/*.pack"))
    await one.checkout(commit, tmp_path / "tree")


async def test_an_ssh_key_reaches_ssh_in_one_piece(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a blank and a quote in its name; and no other key is offered."""
    said, key = tmp_path / "said", tmp_path / "it's a key"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    served = f'exec git upload-pack "{source.path}"'
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{said}"\n{served}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    url = SecretStr("ssh://git@h.invalid/app")
    repository = Repository.from_settings(RepositorySettings(url=url, ssh_key_file=key))
    await Mirror(tmp_path / "m", repository, Git(tmp_path / "data", 8.0)).fetch()
    words = said.read_text().splitlines()
    assert words[words.index("-i") + 1] == str(key)
    assert "-oIdentitiesOnly=yes" in words
