"""`/v1/deliveries`: what came in and what became of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from msgspec.json import encode
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.again import Again, kept_payload
from hub.api.guarding import access_of, is_of
from hub.log.base import Log
from hub.log.delivered import Document, Wanted
from hub.problem import Problem
from hub.tokens import Access

PAGE = 100  # of an export
MOST = 2**62  # what SQLite can compare with

Number = Annotated[int, Path(ge=1, le=MOST, description="its number in the list")]


class Search(BaseModel):
    """Which deliveries are listed; what is left out is not asked for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    verdict: str = ""
    """`matched`, `no-match`, `ignored`, `ping` or `duplicate`."""
    provider: str = ""
    """Of such forges."""
    source: str = ""
    """Of this source."""
    repository: str = ""
    """Of this repository, by its key: `host/path`."""
    q: Annotated[str, Field(max_length=200)] = ""
    """Part of an id, ref, commit or subscription."""
    since: AwareDatetime | None = None
    """At this time (RFC 3339) or later."""
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    """How many at most; an export has all."""
    before: Annotated[int | None, Field(ge=1, le=MOST)] = None
    """The `next` of an earlier page: go on behind it."""

    def wanted(self) -> Wanted:
        """As the log understands it."""
        since: datetime | None = self.since
        repository = self.repository.lower()
        return Wanted(self.verdict, self.provider, self.source, repository, self.q, since)


class Redelivery(BaseModel):
    """The body of `POST /v1/deliveries/{number}/redeliver`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    subscription: Annotated[str, Field(max_length=200)] = ""
    """The name of the one that is to be told; default: all that want it."""


def router(log: Log, again: Again, public_url: str) -> APIRouter:
    """
    The routes over one log.

    Args:
        log: the hub's.
        again: explains and redelivers.
        public_url: as in the answers to deliveries.
    """
    routes = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
    _add_lists(routes, log)
    _add_one(routes, log, public_url)
    _add_again(routes, log, again)
    return routes


def _add_lists(routes: APIRouter, log: Log) -> None:
    @routes.get("")
    async def list_newest(request: Request, search: Annotated[Search, Query()]) -> dict[str, Any]:
        """Accepted deliveries, newest first; `before` continues behind an earlier page."""
        found = await log.deliveries(search.limit, search.before, search.wanted())
        is_full = len(found) == search.limit
        seen = [document for document in found if is_of(access_of(request), document)]
        return {"deliveries": seen, "next": found[-1]["number"] if is_full else None}

    @routes.get("/export")
    async def export(request: Request, search: Annotated[Search, Query()]) -> StreamingResponse:
        """Every one that is found, newest first, whole, with its payload: a line of JSON each."""
        # Asked for before the answer begins: a log that is away is an error, and no torn answer.
        first = await log.deliveries(PAGE, search.before, search.wanted())
        lines = _lines(log, search, access_of(request), first)
        return StreamingResponse(lines, media_type="application/x-ndjson")


def _add_one(routes: APIRouter, log: Log, public_url: str) -> None:
    one = [Depends(_for_it(log))]

    @routes.get("/{number}", dependencies=one)
    async def get(number: Number) -> dict[str, Any]:
        """One delivery: the explanation its sender was given, and how it came."""
        found = remembered(number, await log.delivery(number))
        inspect = f"{public_url}/v1/deliveries/{number}"
        body = found["explanation"] | {"inspect": inspect}
        return found | {"response": {"status": found["status"], "body": body}}

    @routes.get("/{number}/payload", dependencies=one)
    async def payload(number: Number) -> Response:
        """What is kept of its payload: the text, without secrets, up to 256 KiB."""
        return Response(await kept_payload(log, number), media_type="text/plain; charset=utf-8")


def _add_again(routes: APIRouter, log: Log, again: Again) -> None:
    one = [Depends(_for_it(log))]

    @routes.get("/{number}/explanation", dependencies=one)
    async def explanation(number: Number) -> dict[str, Any]:
        """Why it would reach today's subscriptions, or would not."""
        found = remembered(number, await log.delivery(number))
        return await again.explanation(found)

    @routes.post("/{number}/redeliver", status_code=202, dependencies=one)
    async def redeliver(number: Number, wanted: Redelivery | None = None) -> dict[str, Any]:
        """Tell once more what it told, although that is known: to one subscription or to all."""
        found = remembered(number, await log.delivery(number))
        to = wanted.subscription if wanted else ""
        told = await again.redeliver(found, to)
        return told.as_json()


def _for_it(log: Log) -> Callable[[Request, int], Awaitable[None]]:
    """Knows no delivery to who asks with a token that is not for its repository."""

    async def for_it(request: Request, number: Number) -> None:
        access = access_of(request)
        if access.repositories:
            found = await log.delivery(number)
            remembered(number, found if found and is_of(access, found) else None)

    return for_it


async def _lines(
    log: Log, search: Search, access: Access, found: Sequence[Document]
) -> AsyncIterator[bytes]:
    while found:
        for one in found:
            before = one["number"]
            # It may have been forgotten meanwhile.
            if is_of(access, one) and (whole := await log.delivery(before)):
                text = await log.payload(before)
                payload = None if text is None else text.decode(errors="replace")
                yield encode(whole | {"payload": payload}) + b"\n"
        found = await log.deliveries(PAGE, before, search.wanted())


def remembered(number: int, document: Document | None) -> Document:
    """
    A delivery that should be there.

    Raises:
        Problem: it is not.
    """
    if document is None:
        raise Problem(
            404,
            "unknown-delivery",
            f"delivery {number} is not remembered",
            "`directcd deliveries list` (GET /v1/deliveries) lists those that are",
        )
    return document
