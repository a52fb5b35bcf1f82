"""A toolchain that comes, changes and goes while a target is followed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cd4sources.building import BuildFailed, NoToolchain
from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.building.workshop import Workshop
from cd4sources.settings import ServerSettings
from tests.support.go_modules import GO_MARKS, PLAIN, go_offline, go_root
from tests.support.serving import target_of
from tests.support.sources import Source

pytestmark = GO_MARKS
MODULE = {"go.mod": "module app\n\ngo 1.21\n", "main.go": PLAIN}
# In the place of a toolchain of another version: it tells that, and that it was asked.
TELLER = """package main

import "syscall"

var version, told string

func main() {
    file, _ := syscall.Open(told, syscall.O_APPEND|syscall.O_CREAT|syscall.O_WRONLY, 0o644)
    syscall.Write(file, []byte("."))
    syscall.Write(1, []byte("go version " + version + " linux/amd64"))
}
"""


class Tools:
    """A directory on PATH that a go may be in, and a target that is built with it."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.go = self.bin / "go"
        self._told = directory / "told"
        self._directory = directory
        self._source = Source(directory / "app")
        self._source.commit(MODULE)
        data = directory / "data"
        target = target_of("app", self._source.path)
        self.shop = Workshop(target, ServerSettings(data=data), Lanes(1), Caches(data))

    def install(self, version: str) -> None:
        """Put a toolchain there, in place of another one."""
        (self._directory / "main.go").write_text(TELLER)
        flags = f"-X main.version={version} -X main.told={self._told}"
        argv = [f"{go_root()}/bin/go", "build", "-trimpath", "-ldflags", flags, "-o", "made"]
        subprocess.run([*argv, "main.go"], cwd=self._directory, check=True)
        (self._directory / "made").rename(self.go)

    async def version(self) -> str:
        """What the next pass would make."""
        return (await self.shop.plan(await self.shop.fetch())).version

    def commit(self) -> None:
        """Change the sources."""
        self._source.commit({"more.go": "package main\n"})

    @property
    def asked(self) -> int:
        """How often the toolchain was asked."""
        return len(self._told.read_text())


@pytest.fixture
def tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Tools:
    """No go on PATH, yet."""
    go_offline(monkeypatch, tmp_path_factory)
    made = Tools(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{Path(str(shutil.which('git'))).parent}")
    return made


async def test_changed_toolchain_is_another_version(tools: Tools) -> None:
    """Without any commit; the same pass again asks nobody."""
    tools.install("go9.1")
    old = await tools.version()
    assert await tools.version() == old
    assert tools.asked == 1
    tools.install("go9.2")
    assert await tools.version() != old
    assert tools.asked == 2


async def test_toolchain_is_not_asked_for_each_commit(tools: Tools) -> None:
    """It is on the way of every push; but asked when an operator wants to know."""
    tools.install("go9.1")
    old = await tools.version()
    tools.commit()
    assert await tools.version() != old
    assert tools.asked == 1
    tools.shop.plan_anew()
    await tools.version()
    assert tools.asked == 2


async def test_wrapper_is_asked_for_each_commit(tools: Tools) -> None:
    """A script does not show by its own file which toolchain it runs."""
    tools.install("go9.1")
    tools.go.rename(tools.bin / "real")
    tools.go.write_text('#!/bin/sh\nexec "$(dirname "$0")/real" "$@"\n')
    tools.go.chmod(0o755)
    await tools.version()
    await tools.version()
    assert tools.asked == 1
    tools.commit()
    await tools.version()
    assert tools.asked == 2


async def test_toolchain_may_come_and_go(tools: Tools) -> None:
    """Each pass says what is the matter, until there is one (again)."""
    with pytest.raises(NoToolchain, match=r"install Go .*, or add a build\.sh"):
        await tools.version()
    tools.install("go9.1")
    version = await tools.version()
    tools.go.unlink()
    for _ in range(2):
        with pytest.raises(NoToolchain):
            await tools.version()
    tools.install("go9.1")
    assert await tools.version() == version


async def test_toolchain_that_changes_during_a_build_gives_no_version(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has built is not what the version's id names."""
    tools.go.symlink_to(f"{go_root()}/bin/go")
    plan = await tools.shop.plan(await tools.shop.fetch())
    monkeypatch.setenv("GOFLAGS", "-tags=other")
    with pytest.raises(BuildFailed, match="exchanged meanwhile"):
        await tools.shop.build(plan, tmp_path / "log", None)
    again = await tools.shop.plan(plan.lockset)
    assert again.version != plan.version
    assert (await tools.shop.build(again, tmp_path / "log", None)).path.stat().st_size
    await tools.shop.rest()
