"""
`GET /v1/events`, as raw ASGI: server-sent events or a long poll over the same follower.

Reads what is asked for; `hub.api.streaming` and `hub.api.polling` answer it.
"""

from urllib.parse import parse_qs

from hub.api.asgi import Receive, Scope, Send, header_map, respond_problem
from hub.api.following import Answer, Request, Sources
from hub.api.guarding import refuse_others
from hub.api.polling import Poll
from hub.api.problems import log_unavailable
from hub.api.streaming import Stream
from hub.api.ticking import Ticker
from hub.counting import Counts
from hub.fanout import Fanout
from hub.log.base import Log, LogUnavailable
from hub.log.values import Cursor, Gap
from hub.problem import Problem
from hub.subscriptions import Registry
from hub.tokens import Access
from hub.wants import Want, make_want

PATH = "/v1/events"
PING_SECONDS = 15.0  # below the idle limit of common proxies (30-60 s)
LONG_POLL_SECONDS = 50.0
QUERY_FIELDS = 2_000  # repositories in a URL; more belong in a subscription
LONG_POLL_LIMIT_SECONDS = 300.0
PARAMETERS = frozenset({"repository", "ref", "subscription", "after", "timeout"})


class EventsEndpoint:
    """Answers one subscriber for as long as it stays."""

    def __init__(
        self,
        log: Log,
        fanout: Fanout,
        registry: Registry,
        counts: Counts,
        *,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._sources = Sources(log, fanout, registry)
        self._fanout = fanout
        self._registry = registry
        self._open = counts.open
        self._ticker = Ticker(ping_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            request = _parse(scope)
            await self._check(request, scope["state"]["access"])
            answer = self._answer(request, send)
        except Problem as error:
            await respond_problem(send, error)
            return
        kind = "stream" if request.stream else "poll"
        self._open[kind] += 1
        try:
            await answer.run(receive)
        finally:
            self._open[kind] -= 1

    def _answer(self, request: Request, send: Send) -> Answer:
        if request.stream:
            return Stream(self._sources, request, send, self._ticker)
        return Poll(self._sources, request, send)

    async def _check(self, request: Request, access: Access) -> None:
        wants = request.wants
        if request.subscription_id:
            wants = await self._wants_of(request.subscription_id)
        refuse_others(access, [want.keys for want in wants] or [frozenset()])

    async def _wants_of(self, subscription_id: str) -> tuple[Want, ...]:
        try:
            known = await self._registry.find(subscription_id)
        except LogUnavailable as error:
            raise log_unavailable(error) from error
        if known is None:
            raise Problem(404, "unknown-subscription", "no such subscription", "subscribe again")
        return known.wants


def _parse(scope: Scope) -> Request:
    if scope["method"] != "GET":
        raise Problem(405, "method-not-allowed", "events are read with GET", "use GET")
    headers = header_map(scope)
    query = _query(scope)
    after = headers.get("last-event-id") or query.get("after", [""])[0]
    return Request(
        wants=_wants(query),
        subscription_id=query.get("subscription", [""])[0],
        after=_cursor(after),
        stream="text/event-stream" in headers.get("accept", ""),
        timeout_seconds=_timeout(query),
    )


def _wants(query: dict[str, list[str]]) -> tuple[Want, ...]:
    ref = query.get("ref", [""])[0]
    try:
        return tuple(make_want(url, ref) for url in query.get("repository", []))
    except ValueError as error:
        step = "correct the repository's URL or ref"
        raise Problem(400, "invalid-repository", str(error), step) from error


def _query(scope: Scope) -> dict[str, list[str]]:
    try:
        query = parse_qs(
            scope["query_string"].decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=QUERY_FIELDS,
        )
    except ValueError as error:
        raise Problem(
            400,
            "too-many-parameters",
            f"more than {QUERY_FIELDS} parameters",
            "subscribe (POST /v1/subscriptions) and follow subscription=ID",
        ) from error
    _refuse_half_filters(query)
    return query


def _refuse_half_filters(query: dict[str, list[str]]) -> None:
    # A mistyped or empty filter would otherwise mean "everything".
    unknown = sorted(query.keys() - PARAMETERS)
    if unknown:
        known = ", ".join(sorted(PARAMETERS))
        raise Problem(400, "unknown-parameter", f"unknown: {unknown[0][:50]}", f"known: {known}")
    if "ref" in query and "repository" not in query:
        raise Problem(400, "ref-alone", "a ref belongs to a repository", "add repository=URL")
    if "subscription" in query and "repository" in query:
        step = "leave one of them out: a subscription names its repositories"
        raise Problem(400, "two-filters", "both a subscription and a repository", step)
    if "" in query.get("subscription", ()):
        raise Problem(404, "unknown-subscription", "no such subscription", "subscribe again")


def _cursor(text: str) -> Cursor | Gap | None:
    if not text:
        return None
    return Cursor.parse(text) or Gap("no log ever wrote this cursor")


def _timeout(query: dict[str, list[str]]) -> float:
    try:
        asked = float(query.get("timeout", [str(LONG_POLL_SECONDS)])[0])
    except ValueError as error:
        raise Problem(
            400, "invalid-timeout", "timeout is a number of seconds", "e.g. timeout=50"
        ) from error
    # min/max would let NaN through
    return min(asked, LONG_POLL_LIMIT_SECONDS) if asked > 0 else 0.0
