"""The forges that the contract's suite is run against: fakes, and a real Gitea if there is one."""

import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import SecretStr

from hub.forges.base import Forge
from hub.forges.opening import forge_of
from hub.forges.values import Place
from hub.settings import SourceSettings
from tests.support.forge_apis import FakeGitea, FakeGitHub, FakeGitLab
from tests.support.forge_apis.forge import FakeForge

AForge = TypeVar("AForge", bound=Forge)
WEBHOOK_SECRET = "webhook-secret-5b1d"
COMMIT = "c0ffee" + "0" * 34
GITEA_URL = os.environ.get("DIRECTCD_TEST_GITEA_URL", "").rstrip("/")
GITEA_TOKEN = os.environ.get("DIRECTCD_TEST_GITEA_TOKEN", "")

_FAKES: dict[str, Callable[[], FakeForge]] = {
    "github": FakeGitHub,
    "gitea": FakeGitea,
    "forgejo": lambda: FakeGitea(kind="forgejo"),
    "gogs": lambda: FakeGitea(kind="gogs"),
    "gitlab": FakeGitLab,
}
KINDS = [*_FAKES, "real-gitea"] if GITEA_URL else [*_FAKES]


@dataclass(frozen=True)
class Subject:
    """
    A forge with one repository of one commit.

    Attributes:
        forge: its API, as the hub speaks it.
        place: the repository.
        organisation: an organisation.
        commit: its newest commit.
        fake: the fake behind it; None when the forge is real.
    """

    forge: Forge
    place: Place
    organisation: Place
    commit: str
    fake: FakeForge | None


def source_of(fake: FakeForge, provider: str, **changes: object) -> SourceSettings:
    """A source whose forge is a fake, with the fake's token."""
    values = {
        "provider": provider,
        "secrets": (SecretStr(WEBHOOK_SECRET),),
        "base_url": fake.web_url,
        "api_url": fake.url,
        "api_token": SecretStr(fake.token),
    }
    return SourceSettings.model_validate(values | changes)


@asynccontextmanager
async def closing(forge: AForge) -> AsyncIterator[AForge]:
    """A forge's API, closed afterwards."""
    try:
        yield forge
    finally:
        await forge.close()


@contextmanager
def fake_of(provider: str) -> Iterator[FakeForge]:
    """A running fake."""
    fake = _FAKES[provider]()
    try:
        yield fake
    finally:
        fake.close()


@asynccontextmanager
async def subject_of(kind: str) -> AsyncIterator[Subject]:
    """A forge to try."""
    if kind == "real-gitea":
        async with _real_gitea() as subject:
            yield subject
        return
    with fake_of(kind) as fake:
        fake.repository("Acme/Shop").refs["refs/heads/main"] = COMMIT
        forge = forge_of("main", source_of(fake, kind))
        organisation = Place("acme", is_organisation=True)
        yield Subject(forge, Place("acme/shop"), organisation, COMMIT, fake)
        await forge.close()


@asynccontextmanager
async def _real_gitea() -> AsyncIterator[Subject]:
    """A new repository at the Gitea that the environment names, removed afterwards."""
    settings = SourceSettings(
        provider="gitea", insecure=True, base_url=GITEA_URL, api_token=SecretStr(GITEA_TOKEN)
    )
    headers = {"authorization": f"token {GITEA_TOKEN}"}
    name = f"directcd-{uuid.uuid4().hex[:8]}"
    async with httpx.AsyncClient(base_url=f"{GITEA_URL}/api/v1", headers=headers) as api:
        wanted = {"name": name, "auto_init": True, "default_branch": "main"}
        made = (await api.post("/user/repos", json=wanted)).raise_for_status().json()
        path = made["full_name"]
        branch = (await api.get(f"/repos/{path}/branches/{made['default_branch']}")).json()
        (await api.post("/orgs", json={"username": f"{name}-org"})).raise_for_status()
        organisation = Place(f"{name}-org", is_organisation=True)
        forge = forge_of("main", settings)
        try:
            yield Subject(forge, Place(path), organisation, branch["commit"]["id"], None)
        finally:
            await forge.close()
            await api.delete(f"/repos/{path}")
            await api.delete(f"/orgs/{organisation.name}")
