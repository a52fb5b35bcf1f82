"""What a running hub can tell: who has delivered, what it refused, which repositories it knows."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel

from cd4sources.http import BadStatus, Http, HttpError
from cd4sources.targets import Repository
from cd4sources.token_files import TokenUnusable, read_token
from directcd.config import Config
from directcd.doctor.findings import Finding, ok, warning
from directcd.doctor.repositories import Located
from directcd.doctor.services import ANSWER_SECONDS
from directcd.listening import url_of
from directcd.whom import Asked

Model = TypeVar("Model", bound=BaseModel)

_MOST_HEADS = "5000"
_FORBIDDEN = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Source(BaseModel):
    """A webhook endpoint."""

    name: str
    last_delivery_at: datetime | None = None


class Refusal(BaseModel):
    """Equal deliveries that were refused."""

    source: str
    last_at: datetime
    count: int
    status: int
    detail: str
    next: str


class _Sources(BaseModel):
    sources: tuple[Source, ...]


class _Refusals(BaseModel):
    refusals: tuple[Refusal, ...]


class _Head(BaseModel):
    subject: str


class _Heads(BaseModel):
    heads: tuple[_Head, ...]


@dataclass(frozen=True)
class Hub:
    """One to ask. Every question may raise HttpError: it does not say."""

    http: Http
    url: str
    token: str = field(default="", repr=False)

    async def sources(self) -> tuple[Source, ...]:
        """Its webhook endpoints."""
        return (await self._get(_Sources, "sources")).sources

    async def refusals(self) -> tuple[Refusal, ...]:
        """What it has refused, newest first."""
        return (await self._get(_Refusals, "refusals")).refusals

    async def knows(self, url: str) -> bool:
        """Whether any forge has told it of a repository."""
        return bool((await self._get(_Heads, "heads", repository=url, limit="1")).heads)

    async def keys(self) -> frozenset[str]:
        """The keys of the repositories that forges have told it of, or of many of them."""
        heads = (await self._get(_Heads, "heads", limit=_MOST_HEADS)).heads
        return frozenset(one.subject.partition("#")[0] for one in heads)

    async def _get(self, model: type[Model], path: str, **query: str) -> Model:
        reply = await self.http.get_json(
            f"{self.url}/v1/{path}",
            tuple(query.items()),
            timeout_seconds=ANSWER_SECONDS,
            token=self.token,
        )
        return reply.read(model)


def followed(config: Config) -> Asked | None:
    """The hub that the server of this file follows, if it is asked by HTTP."""
    server = config.server
    if server and server.hub:
        its = Asked(server.hub, server.hub_token_file, "server.hub_token_file")
        return its if server.hub.startswith("http") else None
    return Asked(url_of(config.hub.listen)) if config.hub else None


def token_in(asked: Asked) -> str:
    """The token for a hub; "" when it cannot be read, which is another check's finding."""
    with suppress(TokenUnusable):
        return read_token(asked.token_file)
    return ""


async def check(hub: Hub, repositories: Sequence[Located]) -> list[Finding]:
    """What the hub can tell of these repositories and of its sources."""
    try:
        sources, refusals = await asyncio.gather(hub.sources(), hub.refusals())
        known = await asyncio.gather(*(hub.knows(one.url) for _, one in repositories))
        missed = [one for one, is_known in zip(repositories, known, strict=True) if not is_known]
        keys = await hub.keys() if missed else frozenset[str]()
    except BadStatus as error:
        if error.status in _FORBIDDEN:
            return [ok("the hub tells of deliveries with a token that may read: --token-file")]
        return []
    except HttpError:  # that it is away is another check's finding
        return []
    return [*refused(sources, refusals), *unheard(missed, keys)]


def refused(sources: Iterable[Source], refusals: Sequence[Refusal]) -> list[Finding]:
    """Of each source the newest refusal, unless something was accepted since. Pure."""
    found = []
    for source in sources:
        newest = next((one for one in refusals if one.source == source.name), None)
        if newest and (not source.last_delivery_at or newest.last_at > source.last_delivery_at):
            what = f"deliveries were refused with {newest.status} ({newest.count}): {newest.detail}"
            found.append(warning(what, f"hub.sources.{source.name}", newest.next))
    return found


def unheard(repositories: Iterable[Located], keys: frozenset[str]) -> list[Finding]:
    """
    What is to be said of repositories that no delivery has named. Pure.

    Args:
        repositories: Those.
        keys: Of the repositories that were named.
    """
    return [
        _unheard(where, repository, keys)
        for where, repository in repositories
        if not repository.url.startswith(("/", "file:"))  # no forge's webhook names that one
    ]


def _unheard(where: str, repository: Repository, keys: frozenset[str]) -> Finding:
    what = f"the hub has never heard of {repository.url}: only the poll finds its pushes"
    if elsewhere := sorted(_paths(repository.keys, keys)):
        ours = min(repository.keys).partition("/")[0]
        theirs = elsewhere[0].partition("/")[0]
        alias = f'host_aliases = {{"{theirs}" = "{ours}"}}'
        step = f"it has of {elsewhere[0]}: if that is the same, give its source {alias}"
        return warning(what, where, step)
    step = "create the webhook at the forge, or see there what became of its deliveries"
    return warning(what, where, step)


def _paths(ours: frozenset[str], keys: frozenset[str]) -> set[str]:
    """The keys with a path of ours at another host."""
    paths = {key.partition("/")[2] for key in ours}
    return {key for key in keys if key.partition("/")[2] in paths}
