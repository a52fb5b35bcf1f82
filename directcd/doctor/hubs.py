"""What a running hub can tell: who has delivered, what it refused, which repositories it knows."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
from hub.dashboard.attention import LATELY, may_be_mended

Model = TypeVar("Model", bound=BaseModel)

DOUBTED = timedelta(hours=1)
"""How long a wrong signature is told of after a right one: another webhook may still be wrong."""

MOST_OF_A_SOURCE = 3
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
    code: str
    detail: str
    next: str


class Failure(BaseModel):
    """The newest thing that went wrong with a target, and that nothing has mended since."""

    message: str
    next: str = ""  # a hub of an earlier version says none
    reporter: str


class Running(BaseModel):
    """What a client last said of a target."""

    client: str
    version: str | None = None
    state: str
    message: str = ""


class Standing(BaseModel):
    """How a target stands."""

    target: str
    state: str
    running: tuple[Running, ...] = ()
    last_failure: Failure | None = None


class Subscription(BaseModel):
    """Who is told of pushes, and until when."""

    name: str
    expires_at: datetime
    expired: bool


class _Subscriptions(BaseModel):
    subscriptions: tuple[Subscription, ...]


class _Targets(BaseModel):
    targets: tuple[Standing, ...]


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

    async def standings(self) -> tuple[Standing, ...]:
        """How its targets stand."""
        return (await self._get(_Targets, "targets")).targets

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Those of today, and those whose lease has ended."""
        return (await self._get(_Subscriptions, "subscriptions")).subscriptions

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
        sources, refusals, subscriptions = await asyncio.gather(
            hub.sources(), hub.refusals(), hub.subscriptions()
        )
        known = await asyncio.gather(*(hub.knows(one.url) for _, one in repositories))
        missed = [one for one, is_known in zip(repositories, known, strict=True) if not is_known]
        keys = await hub.keys() if missed else frozenset[str]()
    except BadStatus as error:
        if error.status in _FORBIDDEN:
            return [ok("the hub tells of deliveries with a token that may read: --token-file")]
        return []
    except HttpError:  # that it is away is another check's finding
        return []
    told = [*refused(sources, refusals, datetime.now(UTC)), *ended(subscriptions)]
    return [*told, *unheard(missed, keys)]


def ended(subscriptions: Iterable[Subscription]) -> list[Finding]:
    """What is to be said of leases that nobody has renewed. Pure."""
    return [
        warning(
            f"nobody has renewed the subscription {one.name} since "
            f"{one.expires_at.isoformat(timespec='seconds')}: it is told of nothing",
            "",
            "start its server again, or `directcd subscriptions remove` it",
        )
        for one in subscriptions
        if one.expired
    ]


def refused(sources: Iterable[Source], refusals: Sequence[Refusal], now: datetime) -> list[Finding]:
    """
    The newest refusals of each source; the hub tells equal ones as one. Pure.

    What may be mended, for others were accepted since, may also be another webhook's: that is told
    for an hour.
    """
    found = []
    for source in sources:
        accepted_at = source.last_delivery_at
        its = [one for one in refusals if one.source == source.name]
        told = [one for one in its if _is_of_now(one, accepted_at, now)]
        found += [_refused(one, accepted_at) for one in told[:MOST_OF_A_SOURCE]]
    return found


def _is_of_now(refusal: Refusal, accepted_at: datetime | None, now: datetime) -> bool:
    if may_be_mended(refusal.code, refusal.last_at, accepted_at):
        return now - refusal.last_at < DOUBTED
    return not accepted_at or refusal.last_at > accepted_at or now - refusal.last_at < LATELY


def _refused(refusal: Refusal, accepted_at: datetime | None) -> Finding:
    who = "a delivery was" if refusal.count == 1 else f"{refusal.count} deliveries were"
    is_followed = accepted_at and accepted_at > refusal.last_at
    since = "; others were accepted since" if is_followed else ""
    what = f"{who} refused with {refusal.status}: {refusal.detail}{since}"
    return warning(what, f"hub.sources.{refusal.source}", refusal.next)


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
