"""`directcd init`, then `directcd up`, then a push with the webhook's secret."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from directcd.demo.world import free_ports
from directcd.init.writing import SECRET
from tests.e2e.test_command import directcd
from tests.support.commands import started
from tests.support.forges import gitea
from tests.support.githttp import GitServer
from tests.support.sources import Source

BUILD = """case $1 in
build) printf '#!/bin/sh\\necho {word} >> said\\nexec sleep 600\\n' >shop; chmod +x shop ;;
artifact) echo shop ;;
esac
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A clone of a repository that is served over HTTP; we stand in it."""
    bare = tmp_path / "git" / "shop.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    source = Source(tmp_path / "shop")
    source.git("remote", "add", "origin", str(bare))
    monkeypatch.chdir(source.path)
    with GitServer.serving(tmp_path / "git") as server:
        push(source, "one")
        source.git("remote", "set-url", "origin", server.url("shop.git", "ada", "pw-4711"))
        source.git("remote", "set-url", "--push", "origin", str(bare))
        yield source


def push(source: Source, word: str) -> str:
    """Commit a program that says a word, and push it."""
    commit = source.commit({"build.sh": BUILD.format(word=word)})
    source.git("push", "--quiet", "--set-upstream", "origin", "main")
    return commit


def test_a_forge_without_a_remote_is_refused(shop: Source) -> None:
    """Nothing would tell the forge's address; a script needs none."""
    shop.git("remote", "remove", "origin")
    refused = directcd("init", "--provider", "github")
    assert (refused.returncode, Path("directcd.toml").exists()) == (2, False)
    assert "git remote add origin" in refused.stderr
    assert directcd("init", "--provider", "generic").returncode == 0
    assert directcd("config", "check").returncode == 0


def test_what_init_writes_delivers(shop: Source) -> None:
    """From the first look, and by a webhook that is signed with its secret; doctor is content."""
    said = directcd("init", "--provider", "gitea")
    assert "http://YOUR-HOST:8080/webhooks/gitea/main" in said.stderr
    assert "pw-4711" not in said.stderr + Path("directcd.toml").read_text()
    hub, _ = move(Path("directcd.toml"))
    assert directcd("config", "check").returncode == 0
    with started([sys.executable, "-m", "directcd", "up"], "version running") as process:
        deliver(hub, push(shop, "two"))
        assert process.stderr is not None
        assert any("version running" in line for line in process.stderr)
        assert Path("said").read_text().split() == ["one", "two"]
        doctor = directcd("doctor")
        assert doctor.returncode == 0, doctor.stdout
        process.terminate()
        process.communicate()


def move(file: Path) -> list[int]:
    """Give hub and server ports that are free."""
    ports, text = free_ports(2), file.read_text()
    for old, new in zip(("8080", "8081"), ports, strict=True):
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    file.write_text(text.replace("[client]", "[client]\nsettle_seconds = 0.1"))
    return ports


def deliver(hub: int, commit: str) -> None:
    """Tell of a push as Gitea does."""
    [target] = tomllib.loads(Path("directcd.toml").read_text())["target"]
    url = target["repositories"][0]["url"]
    post = gitea(url, "0" * 40, commit, Path(SECRET).read_bytes().strip())
    answer = httpx.post(
        f"http://127.0.0.1:{hub}/webhooks/gitea/main", content=post.body, headers=post.headers
    )
    assert answer.json()["verdict"] == "matched"


def test_an_unknown_forge_must_be_named(shop: Source) -> None:
    """With the names there are; nothing is written."""
    done = directcd("init")
    assert (done.returncode, "say --provider NAME (" in done.stderr) == (2, True)
    assert directcd("init", "--provider", "githib").returncode == 2
    assert not Path("directcd.toml").exists()
