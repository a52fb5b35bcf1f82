"""
GET /watch: blocks until there is another version.

Raw ASGI, answered before FastAPI's router: ten thousand clients may wait here, and what each holds
while it waits is what counts.
"""

import asyncio
import math
import random
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from cd4sources.api import common
from cd4sources.api.offers import Offers, etag
from cd4sources.following import Follower
from cd4sources.keeping.versions import VERSION, Record
from cd4sources.problems import Problem, response
from cd4sources.waiting import AT_ONCE, Answered, AtOnce, Waiter

PATH = "/watch"

MAX_WATCH_SECONDS = 300.0
"""Longer than that, something between us and the client closes the silent connection."""

MOST_WATCHERS = 20_000
"""Who wait at a time, about 200 MB; the next one is sent to another server, or away for a while."""

_DEFAULT_WATCH_SECONDS = 50.0  # below the 60 s at which many proxies give up
_SPREAD = 0.1  # of its time-out, by which a wait ends early: clients shall not come back in step
_AWAY_SECONDS = (5, 15)
_MOST_FIELDS = common.MOST_REPOSITORIES + 20


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked; all that is kept of a request while it waits."""

    follower: Follower
    version: str
    seconds: float
    if_none_match: str

    @property
    def news(self) -> Record | None:
        """The version to answer with, unless the asker runs it."""
        current = self.follower.offer.current
        return current if current and current.version != self.version else None


class WatchEndpoint:
    """Answers who watch."""

    def __init__(self, stopping: asyncio.Event, offers: Offers) -> None:
        """Let nobody wait yet."""
        self._stopping = stopping
        self._offers = offers
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, unless its sender goes away."""
        try:
            asked = _parse(Request(scope))
            answered = partial(self._answered, scope, send, asked)
            if not asked.news and not await self._wait(receive, asked, answered):
                return
        except Problem as problem:
            await response(problem)(scope, receive, send)
            return
        await self._answer(asked)(scope, receive, send)

    def _answer(self, asked: _Question) -> Response:
        if self._stopping.is_set():
            return response(common.stopping())
        record = asked.news
        if record is None:
            return self._offers.nothing(asked.follower)
        if asked.if_none_match and common.is_known(asked.if_none_match, etag(record)):
            return self._offers.unchanged(asked.follower, record)
        return self._offers.whole(asked.follower, record)

    def _answered(self, scope: Scope, send: Send, asked: _Question) -> bool:
        """Answer without the task that waits, where the server offers that."""
        at_once: AtOnce | None = scope.get("extensions", {}).get(AT_ONCE)
        if at_once is None:
            return False
        answer = self._answer(asked)
        return at_once(send, answer.status_code, answer.raw_headers, bytes(answer.body))

    async def _wait(self, receive: Receive, asked: _Question, answered: Answered) -> bool:
        """Wait for news, the server's end or the time-out; False when no answer is due any more."""
        if self._waiting >= MOST_WATCHERS:
            raise _full()
        waiters, waiter = asked.follower.offer.watchers, Waiter(asked.seconds, answered)
        self._waiting += 1
        waiters.add(waiter)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not waiter.is_ours():
                raise
            return True
        finally:
            self._waiting -= 1
            waiters.remove(waiter)
            waiter.close()
        return False


def _parse(request: Request) -> _Question:
    common.refuse_when_stopping(request)
    if request.method != "GET":
        raise Problem(405, "method-not-allowed", "watch with GET", "use GET", {"Allow": "GET"})
    query = _query(request)
    seconds = seconds_to_wait(_one(query, "timeout"))
    ref, version = _one(query, "ref"), _one(query, "version")
    follower = common.follower(request, query["repo"], ref)
    running = _one(query, "running") if "running" in query else version
    if VERSION.fullmatch(running):
        follower.offer.noted(running)
    return _Question(follower, version, seconds, request.headers.get("If-None-Match", ""))


def _query(request: Request) -> dict[str, list[str]]:
    try:
        text = request.scope["query_string"].decode("ascii")
        query = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise _bad(f"the query cannot be read: {error}") from error
    if not 1 <= len(query.get("repo", ())) <= common.MOST_REPOSITORIES:
        raise _bad(f"repo: name 1 to {common.MOST_REPOSITORIES} repositories")
    return query


def _one(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[-1]


def seconds_to_wait(timeout: str) -> float:
    """
    How long to wait, never longer than asked.

    Raises:
        Problem: It is no number.
    """
    try:
        asked = float(timeout or _DEFAULT_WATCH_SECONDS)
    except ValueError:
        asked = math.nan
    if not math.isfinite(asked):
        raise _bad("timeout: a number of seconds")
    spread = random.uniform(1 - _SPREAD, 1)  # noqa: S311 - jitter is no secret
    return min(max(asked, 0.0), MAX_WATCH_SECONDS) * spread


def _bad(detail: str) -> Problem:
    return Problem(400, "bad-request", detail, "correct the parameter")


def _full() -> Problem:
    pause = random.randint(*_AWAY_SECONDS)  # noqa: S311
    step = "ask another server, or this one later"
    detail = f"{MOST_WATCHERS} clients wait here already"
    return Problem(503, "too-many-watchers", detail, step, {"Retry-After": str(pause)})
