"""Build trees: exactly a commit's files, whatever stood there before."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cd4sources.sources.git import Git
from cd4sources.sources.repository import Mirror
from cd4sources.targets import Repository
from tests.support.nesting import nest
from tests.support.sources import Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "app")
    made.commit({"a.txt": "one\n"})
    return made


def mirror(tmp_path: Path, url: str) -> Mirror:
    return Mirror(tmp_path / "mirror", Repository(url), Git(tmp_path / "data", 50.0))


def contents(tree: Path) -> dict[str, tuple[int, bytes]]:
    """Every path in a tree with its mode and bytes."""
    found = {}
    for path in sorted(tree.rglob("*")):
        data = bytes(path.readlink()) if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
        found[str(path.relative_to(tree))] = (stat.S_IMODE(path.lstat().st_mode), data)
    return found


async def test_checkout_has_no_git_directory(tmp_path: Path, source: Source) -> None:
    """A build sees the commit's files and nothing of git."""
    one = mirror(tmp_path, str(source.path))
    tree = tmp_path / "trees" / "app"
    await one.checkout(await one.fetch(), tree)
    assert [path.name for path in tree.iterdir()] == ["a.txt"]
    kept = {path.name for path in tree.with_name("app.git").iterdir()}
    assert kept == {"HEAD", "index"}  # and no log that would grow


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
            (tmp_path / "trees" / "app.git" / "index").write_bytes(b"garbage")
        case "lock":
            (tmp_path / "trees" / "app.git" / "index.lock").touch()
        case _:
            shutil.rmtree(tree)
    await one.checkout(commit, tree)
    assert contents(tree) == before


async def assert_equals_a_fresh_one(tmp_path: Path, one: Mirror, commit: str, tree: Path) -> None:
    """Bring a tree to a commit, and another one from nothing, and compare them."""
    await one.checkout(commit, tree)
    await one.checkout(commit, tmp_path / "trees" / "fresh")
    assert contents(tree) == contents(tmp_path / "trees" / "fresh")


def _same_look(tree: Path) -> None:
    before = (tree / "a.txt").stat()
    (tree / "a.txt").write_text("two\n")
    os.utime(tree / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def _modes(tree: Path) -> None:
    (tree / "a.txt").chmod(0o755)
    (tree / "d").chmod(0o500)
    tree.chmod(0o700)


def _link_for_directory(tree: Path) -> None:
    shutil.rmtree(tree / "d")
    (tree / "d").symlink_to(tree.parent)


def _directory_for_link(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").mkdir()
    (tree / "link" / "x").touch()


def _directory_for_file(tree: Path) -> None:
    (tree / "a.txt").unlink()
    (tree / "a.txt" / ".git").mkdir(parents=True)


def _repositories(tree: Path) -> None:
    (tree / ".git").write_text("gitdir: /nowhere")
    (tree / "d" / "e" / ".git").mkdir()
    (tree / "d" / "e" / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (tree / "new" / "er" / ".git").mkdir(parents=True)


def _empty_directories(tree: Path) -> None:
    (tree / "d" / "empty" / "er").mkdir(parents=True)


def _fifo(tree: Path) -> None:
    (tree / "d" / "e" / "f.txt").unlink()
    os.mkfifo(tree / "d" / "e" / "f.txt")


def _in_a_submodule(tree: Path) -> None:
    (tree / "sub" / "built").mkdir(parents=True)
    (tree / "sub" / ".git").mkdir()


def _deep(tree: Path) -> None:
    nest(tree / "d" / "deep", link=tree / "a.txt")


BUILDS = [
    _same_look, _modes, _link_for_directory, _directory_for_link, _directory_for_file,
    _repositories, _empty_directories, _fifo, _in_a_submodule, _deep,
]  # fmt: skip


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("build", BUILDS)
async def test_what_a_build_did_is_undone(
    tmp_path: Path, build: Callable[[Path], None], object_format: str
) -> None:
    """With the same commit, and with one that touches the same places."""
    source = Source(tmp_path / "git" / "all", object_format=object_format)
    (source.path / "link").symlink_to("a.txt")
    (source.path / "sub").mkdir()  # empty, as without `git submodule update`
    submodule = "160000," + "1" * {"sha1": 40, "sha256": 64}[object_format] + ",sub"
    source.git("update-index", "--add", "--cacheinfo", submodule)
    first = source.commit({"a.txt": "one\n", "d/e/f.txt": "f", "d/g.txt": "g"})
    one, tree = mirror(tmp_path, str(source.path)), tmp_path / "trees" / "app"
    assert await one.fetch() == first
    await one.checkout(first, tree)
    build(tree)
    await assert_equals_a_fresh_one(tmp_path, one, first, tree)
    build(tree)
    for name in ("sub", "d/e"):
        shutil.rmtree(source.path / name)
    second = source.commit({"d/e": "a file\n", "a.txt": "two\n"})
    assert await one.fetch() == second
    await assert_equals_a_fresh_one(tmp_path, one, second, tree)
    assert not (tree / "sub").exists()


def _removed(above: Path, victim: Path) -> None:
    shutil.rmtree(above)


def _file(above: Path, victim: Path) -> None:
    _removed(above, victim)
    above.write_text("file")


def _link(above: Path, victim: Path) -> None:
    _removed(above, victim)
    above.symlink_to(victim)


def _loop(above: Path, victim: Path) -> None:
    _removed(above, victim)
    above.symlink_to(above)


@pytest.mark.parametrize("build", [_removed, _file, _link, _loop])
async def test_directory_above_a_submodule_is_made_again(
    tmp_path: Path, source: Source, build: Callable[[Path, Path], None]
) -> None:
    """Whatever a build put in its place; what a link leads to stays as it is."""
    source.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},above/sub")
    source.git("commit", "--quiet", "--message", "submodule")
    one, tree = mirror(tmp_path, str(source.path)), tmp_path / "trees" / "app"
    commit = await one.fetch()
    await one.checkout(commit, tree)
    (tmp_path / "victim/sub/kept").mkdir(parents=True)
    build(tree / "above", tmp_path / "victim")
    await assert_equals_a_fresh_one(tmp_path, one, commit, tree)
    assert (tree / "above/sub").is_dir()
    assert (tmp_path / "victim/sub/kept").is_dir()


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
