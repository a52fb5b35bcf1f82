"""The Go recipe: a real toolchain, offline, with a replaced module."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from cd4sources.building import BuildFailed, NoToolchain
from tests.support.go_modules import (
    APP,
    GO_MARKS,
    GO_MOD,
    LIB,
    PLAIN,
    SIBLING,
    built,
    go_offline,
    recipe,
    said_by,
    workspace,
)

pytestmark = GO_MARKS


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    go_offline(monkeypatch, tmp_path_factory)


def scripted(tree: Path) -> Path:
    """What a tree's build.sh makes, with the flags that spare compiling Go's library once more."""
    env = {**os.environ, "GOFLAGS": "-trimpath"}
    build, artifact = (["sh", "build.sh", word] for word in ("build", "artifact"))
    subprocess.run(build, cwd=tree, env=env, check=True)
    named = subprocess.run(artifact, cwd=tree, check=True, capture_output=True, text=True)
    return tree / named.stdout.strip()


async def test_module_is_built_outside_its_tree(tmp_path: Path) -> None:
    """The program runs, and the tree holds nothing that was not committed."""
    place = workspace(tmp_path, {"app/go.mod": "module app\n\ngo 1.21\n", "app/main.go": PLAIN})
    assert said_by(await built(recipe(), place)) == "plain"
    assert sorted(path.name for path in place.tree.iterdir()) == ["go.mod", "main.go"]


@pytest.mark.parametrize("replaces", [LIB, "https://git.example.com/acme/lib.git"])
@pytest.mark.parametrize("vendored", [False, True], ids=["plain", "vendored"])
async def test_sibling_replaces_a_required_module(
    tmp_path: Path, replaces: str, *, vendored: bool
) -> None:
    """The sibling's code is compiled in, and go.mod stays as committed."""
    files = {**APP, **SIBLING}
    if vendored:
        files["app/vendor/modules.txt"] = f"# {LIB} v1.2.3\n## explicit\n{LIB}\n"
        files[f"app/vendor/{LIB}/lib.go"] = 'package lib\n\nconst Word = "vendored"\n'
    place = workspace(tmp_path, files)
    assert said_by(await built(recipe(replaces), place)) == "sibling"
    assert (place.tree / "go.mod").read_text() == GO_MOD
    assert not (place.tree / "go.sum").exists()


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
@pytest.mark.parametrize("kind", ["link", "fifo"])
async def test_only_a_regular_file_is_copied(tmp_path: Path, name: str, kind: str) -> None:
    """A commit cannot make the server copy one of its own files to where the build reads it."""
    place = workspace(tmp_path, {"secret": "secret\n", "app/go.mod": GO_MOD, "lib/go.mod": ""})
    (place.tree / name).unlink(missing_ok=True)
    if kind == "link":
        (place.tree / name).symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(place.tree / name)
    with pytest.raises(BuildFailed, match=f"{name} is not a regular file; commit it as one"):
        await built(recipe(LIB), place)
    assert not (place.room / "mod" / name).exists()


async def test_replacing_what_is_not_required_says_so(tmp_path: Path) -> None:
    """A repository that go.mod does not mention is a mistake in the configuration."""
    files = {**APP, **SIBLING}
    with pytest.raises(BuildFailed, match="requires nothing from"):
        await built(recipe("https://git.example.com/other/lib"), workspace(tmp_path, files))


async def test_program_names_no_directory_of_this_machine(tmp_path: Path) -> None:
    """The replacement is written as a person would, so that all machines build the same bytes."""
    program = await built(recipe(LIB), workspace(tmp_path / "one", {**APP, **SIBLING}))
    assert re.search(rb"=>\t\.\./lib\t", program.read_bytes())
    assert bytes(tmp_path) not in program.read_bytes()
    again = await built(recipe(LIB), workspace(tmp_path / "other/place", {**APP, **SIBLING}))
    assert again.read_bytes() == program.read_bytes()


@pytest.mark.parametrize("broken", ["app", "lib"])
async def test_first_compile_error_begins_the_reason(tmp_path: Path, broken: str) -> None:
    """With its file and line, be it in the program's own tree or in a sibling's."""
    files = {**APP, **SIBLING, f"{broken}/x.go": f"package {broken}\n\nnonsense\n\nmore\n"}
    files["app/x.go"] = files.get("app/x.go", "package main\n").replace("app", "main")
    with pytest.raises(BuildFailed) as raised:
        await built(recipe(LIB), workspace(tmp_path, files))
    where = "x.go" if broken == "app" else "../lib/x.go"
    assert str(raised.value).startswith(f"go build ended with 1: {where}:3:1: syntax error")
    assert raised.value.exit_code == 1


@pytest.mark.parametrize("root", ["library", "empty"])
async def test_module_without_a_program_names_those_it_has(tmp_path: Path, root: str) -> None:
    """A library cannot run; the two lines of build.sh that the error spells out do build."""
    files = {"app/go.mod": "module app\n\ngo 1.21\n", "app/cmd/x/main.go": PLAIN}
    if root == "library":
        files["app/lib.go"] = "package app\n"
    place = workspace(tmp_path, files)
    with pytest.raises(BuildFailed, match=r"its programs are \./cmd/x: add a build\.sh") as raised:
        await built(recipe(), place)
    lines = str(raised.value).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("test "))
    (place.tree / "build.sh").write_text("\n".join(lines[at : at + 2]))
    assert said_by(scripted(place.tree)) == "plain"


async def test_module_without_any_program_says_so(tmp_path: Path) -> None:
    """There is nothing to build then but what is to be written first."""
    files = {"app/go.mod": "module app\n\ngo 1.21\n", "app/lib.go": "package app\n"}
    with pytest.raises(BuildFailed, match="add `package main`"):
        await built(recipe(), workspace(tmp_path, files))


async def test_toolchain_is_part_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`go version` and the flags from outside tell versions apart."""
    plain = await recipe().toolchain(tmp_path)
    monkeypatch.setenv("GOFLAGS", "-race")
    assert plain.startswith("go version go1.")
    assert await recipe().toolchain(tmp_path) != plain


async def test_missing_go_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the toolchain the error names the two ways out."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoToolchain, match=r"install Go .* on PATH, or add a build\.sh"):
        await recipe().toolchain(tmp_path)
