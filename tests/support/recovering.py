"""A forge with real repositories, its fake API, and a hub that may be away."""

import asyncio
import json
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from directcd.demo.world import free_ports
from hub.settings import HubSettings
from tests.support.forge_apis.forge import FakeForge
from tests.support.forge_apis.subjects import fake_of, source_of
from tests.support.githttp import GitServer
from tests.support.hubs import serving_hub

NONE = "0" * 40
MAIN = "refs/heads/main"
_WHO = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


@dataclass
class World:
    """
    A forge, and the hub that its webhooks call.

    Attributes:
        provider: which forge.
        root: its bare repositories.
        git: serves them.
        forge: its API.
        port: the hub's.
        data: likewise.
        tips: where each ref of each repository stands.
    """

    provider: str
    root: Path
    git: GitServer
    forge: FakeForge
    port: int
    data: Path
    tips: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def hook_url(self) -> str:
        """What the forge calls."""
        return f"http://127.0.0.1:{self.port}/webhooks/{self.provider}/main"

    def clone_url(self, name: str) -> str:
        """What servers follow."""
        return f"{self.forge.web_url}/{name}.git"

    def repository(self, name: str, *options: str, is_empty: bool = False) -> None:
        """A repository with one commit; `options` are of `git init`."""
        subprocess.run(["git", "init", "-q", "--bare", *options, self._path(name)], check=True)
        self.forge.repository(name)
        if not is_empty:
            self.commit(name)

    def commit(self, name: str, ref: str = MAIN) -> tuple[str, str]:
        """One more commit; where the ref stood before, and where now."""
        before = self.tips.get((name, ref), NONE)
        parents = [] if before == NONE else ["-p", before]
        tree = self._git(name, "hash-object", "-t", "tree", "-w", "/dev/null")
        words = f"commit {len(self.tips)} {before}"
        after = self._git(name, "commit-tree", tree, "-m", words, *parents)
        self._git(name, "update-ref", ref, after)
        self.tips[name, ref] = after
        return before, after

    async def push(self, name: str, ref: str = MAIN) -> list[int]:
        """One more commit, which the forge tells of; what the hub answered."""
        # Aside: the hub that answers is in this thread.
        return await asyncio.to_thread(self.forge.push, name, ref, *self.commit(name, ref))

    def move(self, name: str, ref: str, commit: str) -> None:
        """Put a ref elsewhere; nobody is told."""
        self.tips[name, ref] = commit
        self._git(name, "update-ref", ref, commit)

    async def delete(self, name: str, ref: str) -> list[int]:
        """Remove a ref, which the forge tells of."""
        before = self.tips.pop((name, ref))
        self._git(name, "update-ref", "-d", ref)
        return await asyncio.to_thread(self.forge.push, name, ref, before, NONE)

    def tag(self, name: str, tag: str) -> str:
        """An annotated tag of the newest commit; nobody is told."""
        self._git(name, "tag", "-a", "-m", "release", tag, self.tips[name, MAIN])
        return self._git(name, "rev-parse", f"refs/tags/{tag}")

    def rename(self, old: str, new: str) -> None:
        """Give a repository another name; the old one leads to it, as forges have it."""
        self._path(old).rename(self._path(new))
        self._path(old).symlink_to(self._path(new))
        self.forge.rename(old, new)
        self.tips |= {(new, ref): tip for (name, ref), tip in self.tips.items() if name == old}

    def age_presence(self) -> None:
        """Have the hub's last sign of life be an hour old."""
        with closing(sqlite3.connect(self.data / "log.sqlite3")) as log, log:
            [(stored,)] = log.execute("SELECT value FROM notes WHERE name = 'presence'")
            note = json.loads(stored)
            at = datetime.fromisoformat(note["alive_at"]) - timedelta(hours=1)
            written = json.dumps(note | {"alive_at": at.isoformat()})
            log.execute("UPDATE notes SET value = ? WHERE name = 'presence'", (written,))

    def settings(self, **changes: Any) -> HubSettings:
        """The hub's."""
        source = source_of(self.forge, self.provider, **changes)
        url = f"http://127.0.0.1:{self.port}"
        return HubSettings(data=self.data, public_url=url, sources={"main": source})

    @asynccontextmanager
    async def hub(self, settings: HubSettings | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """The hub is there; a client of its API."""
        async with serving_hub(settings or self.settings(), self.port) as (url, _, _):  # noqa: SIM117 - the client goes first
            async with httpx.AsyncClient(base_url=url) as client:
                yield client

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.git"

    def _git(self, name: str, *words: str) -> str:
        argv: list[str | Path] = ["git", "-C", self._path(name), *words]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=_WHO)
        return done.stdout.strip()


@contextmanager
def world(provider: str, place: Path) -> Iterator[World]:
    """A forge without repositories, and no hub yet."""
    root = place / "forge"
    root.mkdir()
    with GitServer.serving(root) as git, fake_of(provider) as forge:
        forge.web_url = f"http://127.0.0.1:{git.port}"
        [port] = free_ports(1)
        yield World(provider, root, git, forge, port, place / "hub")
