"""A hub on a real port, a forge whose API is real HTTP, and `directcd hook` between them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import directcd
from directcd.config import load
from directcd.demo.world import free_ports
from hub.app import create_app
from tests.support.forge_apis.forge import FakeForge, FakeHook
from tests.support.forge_apis.subjects import COMMIT, fake_of
from tests.support.hubs import serving_app

COMMAND = (sys.executable, "-m", "directcd", "hook")
ROOT = str(Path(directcd.__file__).parents[1])
SECRET_FILE = "secrets/webhook"
NAME = "Acme/Shop"

_FILE = """
[hub]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
data = "hub"
{hub}
[hub.sources.main]
provider = "{provider}"
base_url = "{web}"
api_url = "{api}"
api_token_file = "forge-token"
{secrets}

[[target]]
name = "shop"
repositories = [{{ url = "{web}/{name}.git", ref = "main" }}]
"""


@dataclass
class Scene:
    """
    A directory with a directcd.toml, a forge, and the hub that the file describes.

    Attributes:
        place: the directory.
        provider: which forge.
        forge: the fake.
        port: of the hub.
        said: all that commands have printed.
    """

    place: Path
    provider: str
    forge: FakeForge
    port: int
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What webhooks are to call."""
        return f"{self.public_url}/webhooks/{self.provider}/main"

    @property
    def public_url(self) -> str:
        """Of the hub."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def secret_file(self) -> Path:
        """Where the source's secret is."""
        return self.place / SECRET_FILE

    @property
    def secret(self) -> str:
        """What is there."""
        return self.secret_file.read_text().strip()

    @property
    def hook(self) -> FakeHook:
        """The only webhook at the forge."""
        [hook] = self.forge.hooks
        return hook

    def add_hook(self, **changes: Any) -> FakeHook:
        """Register a webhook of ours, with the secret of the file, or otherwise."""
        values: dict[str, Any] = {
            "id": next(self.forge.numbers),
            "owner": NAME.lower(),
            "url": self.url,
            "secret": self.secret if self.secret_file.exists() else "",
            "events": ["push", "delete", "create", "push_events", "tag_push_events"],
        }
        hook = FakeHook(**(values | changes))
        self.forge.hooks.append(hook)
        return hook

    def write(self, name: str, text: str) -> Path:
        """Write a file that is nobody else's to read."""
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def edit(self, old: str, new: str) -> None:
        """Change directcd.toml; the hub does not see it."""
        file = self.place / "directcd.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    async def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`directcd hook`, as a person calls it in that directory."""
        done = await asyncio.to_thread(
            subprocess.run,
            [*COMMAND, *words],
            cwd=self.place,
            env={**os.environ, "PYTHONPATH": ROOT, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.said += [done.stdout, done.stderr]
        return done

    async def told(self, *words: str) -> list[dict[str, Any]]:
        """What it says to programs of each webhook."""
        done = await self.run(*words, "--json")
        found: list[dict[str, Any]] = json.loads(done.stdout)["webhooks"]
        return found

    async def push(self, name: str = NAME, number: int = 1) -> list[int]:
        """Push the commit of a number behind the one before it; what webhooks were answered."""
        before, after = commit(number - 1), commit(number)
        # Aside: the hub that is called is in this thread.
        return await asyncio.to_thread(self.forge.push, name, "refs/heads/main", before, after)

    def files(self) -> dict[str, bytes]:
        """Every file beside the hub's, and what is in it."""
        return {
            str(path.relative_to(self.place)): path.read_bytes()
            for path in sorted(self.place.rglob("*"))
            if path.is_file() and self.place / "hub" not in path.parents
        }

    @asynccontextmanager
    async def hub(self) -> AsyncIterator[httpx.AsyncClient]:
        """The hub that directcd.toml describes now, running in that directory."""
        before = Path.cwd()
        os.chdir(self.place)
        try:
            settings = load(Path("directcd.toml")).hub
            assert settings is not None
            async with (
                serving_app(create_app(settings), self.port) as url,
                httpx.AsyncClient(base_url=url) as client,
            ):
                yield client
        finally:
            os.chdir(before)


def commit(number: int) -> str:
    """A hash."""
    return f"{number + 1:040x}"


@asynccontextmanager
async def scene(place: Path, provider: str, **changes: str) -> AsyncIterator[Scene]:
    """
    A scene whose hub does not run yet.

    Args:
        place: an empty directory.
        provider: of the forge.
        changes: `hub`: more lines of its table; `secrets`: the source's lines about them.
    """
    [port] = free_ports(1)
    with fake_of(provider) as fake:
        fake.repository(NAME).refs["refs/heads/main"] = COMMIT
        made = Scene(place, provider, fake, port)
        values = {"hub": "", "secrets": f'secrets_files = ["{SECRET_FILE}"]'} | changes
        text = _FILE.format(
            port=port, provider=provider, web=fake.web_url, api=fake.url, name=NAME, **values
        )
        made.write("directcd.toml", text)
        made.write("forge-token", fake.token + "\n")
        yield made


@asynccontextmanager
async def running(place: Path, provider: str, **changes: str) -> AsyncIterator[Scene]:
    """A scene whose hub runs."""
    async with scene(place, provider, **changes) as made, made.hub():
        yield made
