"""What stands around a Go module, or in it, that could lead `go build` astray."""

import zipfile
from pathlib import Path

import pytest

from cd4sources.building import BuildFailed
from tests.support.go_modules import (
    APP,
    GO_MARKS,
    GO_MOD,
    LIB,
    MAIN,
    PLAIN,
    SIBLING,
    built,
    go_offline,
    recipe,
    said_by,
    workspace,
    write,
)

pytestmark = GO_MARKS
REPOSITORY = "https://git.example.com/acme/lib.git"
WORD = 'package lib\n\nconst Word = "{}"\n'
VENDORED = {
    "app/vendor/modules.txt": f"# {LIB} v1.2.3\n## explicit; go 1.21\n{LIB}\n",
    f"app/vendor/{LIB}/lib.go": WORD.format("vendored"),
}
ASTRAY = {
    "parent": {"go.work": "nonsense\n", "go.mod": "nonsense\n", "vendor/modules.txt": ""},
    "workspace": {"app/go.work": "go 1.21\n\nuse ./elsewhere\n"},
    "replaced": {"app/go.mod": f"{GO_MOD}\nreplace {LIB} => ./elsewhere\n"},
    "replaced version": {"app/go.mod": f"{GO_MOD}\nreplace {LIB} v1.2.3 => ../elsewhere\n"},
    "long": {
        "app/go.mod": f'module app\n\ngo 1.21\n\nrequire "{LIB}" v1.2.3 // why\n//{LIB} v1.2.3\n'
        + "".join(f"exclude h.example.com/{'x' * 40}/{n} v1.0.0\n" for n in range(1000))
    },
    "kept in mod": {
        "app/go.mod": f"{GO_MOD}\nrequire h.example.com/x v0.0.0\nreplace h.example.com/x => ./x\n",
        "app/main.go": MAIN.replace("import", 'import _ "h.example.com/x"\nimport'),
        "app/x/go.mod": "module h.example.com/x\n",
        "app/x/x.go": "package x\n",
    },
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    go_offline(monkeypatch, tmp_path_factory)


@pytest.mark.parametrize("files", ASTRAY.values(), ids=ASTRAY)
@pytest.mark.parametrize("in_place", [False, True], ids=["copied", "in-place"])
async def test_our_replacement_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], *, in_place: bool
) -> None:
    """Over a workspace, a parent's module, a vendor directory, flags, and go.mod's own replaces."""
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    place = workspace(tmp_path, {**APP, **SIBLING, **VENDORED, **files})
    assert said_by(await built(recipe(REPOSITORY, in_place=in_place), place)) == "sibling"


@pytest.mark.parametrize(
    ("module", "inner"),
    [
        (f"{LIB}/v2", "."),
        (f"{LIB}/v2", "v2"),
        (f"{LIB}/sub", "sub"),
        (f"{LIB}/sub/v3", "sub"),
    ],
)
async def test_repository_replaces_the_modules_in_it(
    tmp_path: Path, module: str, inner: str
) -> None:
    """Of a later major version, or in a directory of their own."""
    version = {"v2": "v2.0.0", "v3": "v3.0.0"}.get(module.rpartition("/")[2], "v1.0.0")
    files = {
        "app/go.mod": f"module app\n\ngo 1.21\n\nrequire {module} {version}\n",
        "app/main.go": MAIN.replace(f'"{LIB}"', f'lib "{module}"'),
        "lib/go.mod": f"module {LIB}\n",
        f"lib/{inner}/go.mod": f"module {module}\n\ngo 1.21\n",
        f"lib/{inner}/lib.go": WORD.format("inner"),
    }
    assert said_by(await built(recipe(REPOSITORY), workspace(tmp_path, files))) == "inner"


async def test_vendor_directory_is_used_without_a_replacement(tmp_path: Path) -> None:
    """As go does by itself."""
    place = workspace(tmp_path, {**APP, **VENDORED})
    assert said_by(await built(recipe(), place)) == "vendored"


async def test_inconsistent_vendor_directory_says_why(tmp_path: Path) -> None:
    """In go's own words, which name the way out."""
    place = workspace(tmp_path, {**APP, **VENDORED, "app/vendor/modules.txt": ""})
    with pytest.raises(BuildFailed, match=r"(?s)inconsistent vendoring.*go mod vendor"):
        await built(recipe(), place)


async def test_module_cache_serves_what_a_third_party_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a build has downloaded, the next one has without a network; and not before."""
    third = "third.example.com/x"
    files = {
        **SIBLING,
        "app/go.mod": f"{GO_MOD}require {third} v1.0.0\n",
        "app/main.go": MAIN.replace("import", f'import _ "{third}"\nimport'),
    }
    monkeypatch.setenv("GOSUMDB", "off")
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    place = workspace(tmp_path, files)
    with pytest.raises(BuildFailed, match=r"main\.go:3:8: .* GOPROXY=off"):
        await built(recipe(LIB), place)
    monkeypatch.setenv("GOPROXY", _proxy(tmp_path / "proxy", third).as_uri())
    await built(recipe(LIB), place)
    monkeypatch.setenv("GOPROXY", "off")
    assert said_by(await built(recipe(LIB), place)) == "sibling"


def _proxy(directory: Path, module: str) -> Path:
    """A module proxy's files: https://go.dev/ref/mod#goproxy-protocol."""
    here = directory / module / "@v"
    text = f"module {module}\n\ngo 1.21\n"
    write(here, {"v1.0.0.info": '{"Version": "v1.0.0"}', "v1.0.0.mod": text, "list": "v1.0.0\n"})
    with zipfile.ZipFile(here / "v1.0.0.zip", "w") as packed:
        packed.writestr(f"{module}@v1.0.0/go.mod", text)
        packed.writestr(f"{module}@v1.0.0/x.go", "package x\n")
    return directory


async def test_module_below_the_root_is_not_found_silently(tmp_path: Path) -> None:
    """A program in a module of its own is not the root module's: nothing else is built for it."""
    files = {
        "app/go.mod": "module app\n\ngo 1.21\n",
        "app/cmd/go.mod": "module app/cmd\n\ngo 1.21\n",
        "app/cmd/main.go": PLAIN,
    }
    with pytest.raises(BuildFailed, match="there is no Go file for it; add `package main`"):
        await built(recipe(), workspace(tmp_path, files))
