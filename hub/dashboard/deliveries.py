"""`/deliveries` and `/refusals`: what came, and what became of it and why."""

import json
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from hub.again import BY_HAND, Again
from hub.api.deliveries import MOST, remembered
from hub.api.forms import form_of
from hub.api.guarding import access_of
from hub.dashboard.pages import Pages
from hub.finding import of_traces
from hub.log.base import Log
from hub.log.delivered import Document, Wanted
from hub.problem import Problem
from hub.subscriptions import Registry

PAGE = 50
SHOWN_BYTES = 64 * 1024  # of a payload, on the page
VERDICTS = ("matched", "no-match", "ignored", "ping", "duplicate")
TABS = (("why", "Why"), ("request", "Request"), ("response", "Response"), ("journey", "Journey"))

Number = Annotated[int, Path(ge=1, le=MOST)]
Before = Annotated[int | None, Query(ge=1, le=MOST)]


def router(pages: Pages, log: Log, again: Again, registry: Registry, public_url: str) -> APIRouter:
    """The routes over one log."""
    routes = APIRouter(include_in_schema=False)
    _add_list(routes, pages, log)
    _add_refusals(routes, pages, log)

    @routes.get("/deliveries/{number}")
    async def one(request: Request, number: Number, tab: str = "why") -> Response:
        """One delivery; its tabs are addresses."""
        found = remembered(number, await log.delivery(number))
        chosen = tab if tab in dict(TABS) else "why"
        may_see = access_of(request).may("read")
        return await pages.page(
            request,
            "delivery",
            delivery=found,
            tab=chosen,
            tabs=TABS,
            payload=await _payload(log, found) if chosen == "request" and may_see else "",
            response=_response(found, public_url),
            lines=await of_traces(log, set(found["trace_ids"])) if chosen == "journey" else [],
            subscriptions=[one.name for one in registry.all()],
            is_by_hand=(found["provider"], found["source"]) == BY_HAND,
        )

    @routes.post("/deliveries/{number}/redeliver")
    async def redeliver(request: Request, number: Number) -> Response:
        """Tell it once more, and show the delivery that this makes."""
        found = remembered(number, await log.delivery(number))
        to = (await form_of(request)).get("subscription", "")
        told = await again.redeliver(found, to)
        goal = f"/deliveries/{told.number}?tab=journey" if told.number else "/deliveries"
        return RedirectResponse(goal, HTTPStatus.SEE_OTHER)

    return routes


def _add_list(routes: APIRouter, pages: Pages, log: Log) -> None:
    @routes.get("/deliveries")
    async def listed(
        request: Request, verdict: str = "", source: str = "", q: str = "", before: Before = None
    ) -> Response:
        """The newest first; filters are in the address."""
        wanted = Wanted(verdict=verdict, source=source, q=q[:200])
        found = await log.deliveries(PAGE, before, wanted)
        older = (
            {"verdict": verdict, "source": source, "q": q, "before": found[-1]["number"]}
            if (len(found) == PAGE)
            else None
        )
        return await pages.page(
            request,
            "deliveries",
            deliveries=found,
            refusals=await log.refusals(PAGE, None),
            verdicts=VERDICTS,
            verdict=verdict,
            source=source,
            q=q,
            older=urlencode(older) if older else "",
        )


def _add_refusals(routes: APIRouter, pages: Pages, log: Log) -> None:
    @routes.get("/refusals")
    async def refused(request: Request, before: Before = None) -> Response:
        """What was not accepted, the newest first."""
        found = await log.refusals(PAGE, before)
        older = found[-1].number if len(found) == PAGE else None
        return await pages.page(request, "refusals", refusals=found, older=older)

    @routes.get("/refusals/{number}")
    async def refusal(request: Request, number: Number) -> Response:
        """One, with what its sender is not told."""
        found = [one for one in await log.refusals(1, number + 1) if one.number == number]
        if not found:
            step = "see the list: an equal one may have come since, and has its place"
            raise Problem(404, "unknown-refusal", "this refusal is not remembered", step)
        return await pages.page(request, "refusal", refusal=found[0])


async def _payload(log: Log, delivery: Document) -> str:
    kept = await log.payload(delivery["number"]) or b""
    try:
        text = json.dumps(json.loads(kept), indent=2, ensure_ascii=False)
    except ValueError:  # cut, or no JSON
        text = kept.decode("utf-8", "replace")
    return text[:SHOWN_BYTES]


def _response(delivery: Document, public_url: str) -> dict[str, Any]:
    inspect = f"{public_url}/v1/deliveries/{delivery['number']}"
    body = delivery["explanation"] | {"inspect": inspect}
    return {"status": delivery["status"], "body": json.dumps(body, indent=2, ensure_ascii=False)}
