"""What a hub that runs can tell: who has delivered, and of which repositories it has heard."""

from collections.abc import Sequence

from pydantic import BaseModel

from cd4sources.http import Http, HttpError
from cd4sources.targets import Repository
from directcd.config import Config
from directcd.doctor.findings import Finding, ok, warning
from directcd.doctor.places import url_of
from directcd.doctor.repositories import Located
from directcd.doctor.services import ANSWER_SECONDS


class _Source(BaseModel):
    name: str
    last_delivery_at: str | None = None


class _Sources(BaseModel):
    sources: tuple[_Source, ...]


class _Head(BaseModel):
    subject: str


class _Heads(BaseModel):
    heads: tuple[_Head, ...]


def address(config: Config) -> str:
    """The hub that the server of this file follows, if it is asked by HTTP."""
    if config.server and config.server.hub:
        return config.server.hub if config.server.hub.startswith("http") else ""
    return url_of(config.hub.listen) if config.hub else ""


async def delivered(http: Http, url: str, token: str = "") -> dict[str, bool]:
    """Of each source of a hub, whether it had a delivery; empty when it does not say."""
    try:
        reply = await http.get_json(
            f"{url}/v1/sources", timeout_seconds=ANSWER_SECONDS, token=token
        )
        sources = reply.read(_Sources).sources
    except HttpError:
        return {}
    return {one.name: one.last_delivery_at is not None for one in sources}


async def heard(http: Http, url: str, token: str = "") -> frozenset[str]:
    """
    The keys of all repositories that forges have told a hub of.

    Raises:
        HttpError: It does not say.
    """
    query = (("limit", "5000"),)
    reply = await http.get_json(
        f"{url}/v1/heads", query, timeout_seconds=ANSWER_SECONDS, token=token
    )
    return frozenset(one.subject.partition("#")[0] for one in reply.read(_Heads).heads)


def judged(repositories: Sequence[Located], keys: frozenset[str]) -> list[Finding]:
    """Which repositories no delivery has named. Pure."""
    return [
        _judged(where, repository, keys)
        for where, repository in repositories
        if not repository.url.startswith(("/", "file:"))  # no forge's webhook names that one
    ]


async def check(http: Http, url: str, repositories: Sequence[Located]) -> list[Finding]:
    """What the hub can tell of these repositories; nothing when it does not."""
    try:
        keys = await heard(http, url)
    except HttpError:
        return []
    return judged(repositories, keys)


def _judged(where: str, repository: Repository, keys: frozenset[str]) -> Finding:
    if repository.keys & keys:
        return ok(f"the hub has heard of {repository.url}", where)
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
