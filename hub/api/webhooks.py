"""
`POST /webhooks/{provider}[/{source}]`, as raw ASGI.

This is the one path strangers reach and the one that must stay fast, so it is answered before
FastAPI's router and middleware.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from secrets import randbelow
from time import perf_counter

from msgspec.json import encode

from adapters import Request
from hub.api.admitting import Admission
from hub.api.asgi import Receive, Scope, Send, header_map, respond, respond_problem
from hub.api.bodies import Bodies, ClientGone, SpooledBody, drain
from hub.api.refusal_book import RefusalBook, names_of
from hub.counting import Counts
from hub.problem import Problem, mistake
from hub.receiving import Accepted, Receiver
from hub.throttling import RefusalLines, TooManyBadSignatures
from hub.verifying import Delivery

logger = logging.getLogger(__name__)

PREFIX = "/webhooks"
RETRY_AFTER_SECONDS = 2
RETRY_SPREAD_SECONDS = 7


_INCOMPLETE = Problem(
    408,
    "request-incomplete",
    "the connection ended before the body was complete: its sender hung up, or took over 15 s",
    "send it again; if it happens again, look at the network between sender and here",
)

_Read = tuple[Delivery, bytes | SpooledBody]


class WebhookEndpoint:
    """Reads a delivery off the wire under limits, and answers with its explanation."""

    def __init__(
        self,
        receiver: Receiver,
        clock: Callable[[], datetime],
        *,
        bodies: Bodies,
        counts: Counts,
        refused: RefusalBook,
        admission: Admission,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._bodies = bodies
        self._refused = refused
        self._admission = admission
        self._counts = counts
        self._lines = RefusalLines()
        self._deliveries_url = f"{receiver.public_url}/v1/deliveries/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            found = await self._read(scope, receive)
        except ClientGone:
            self._note_refusal(scope, _INCOMPLETE)
            return
        except Problem as problem:
            self._note_refusal(scope, problem)
            found = problem
        except Exception:  # an adapter looks at the headers of a large one
            logger.exception("delivery not understood", extra={"path": scope["path"][:200]})
            found = mistake()
        if isinstance(found, Problem):
            await _refuse_unread(scope, receive, send, found)
            return
        delivery, body = found
        try:
            await self._answer(scope, send, delivery)
        finally:
            self._bodies.give_back(body)

    async def _read(self, scope: Scope, receive: Receive) -> _Read | Problem:
        began = perf_counter()
        query = scope["query_string"].decode("latin-1")
        if not _is_delivery(scope["method"], query):
            raise _not_a_delivery(scope["method"])
        provider, _, name = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
        source = self._receiver.source(provider, name)  # nobody's body is not worth reading
        sender = self._admission.admit(source.name, scope)
        headers = header_map(scope)
        _refuse_encoded(headers.get("content-encoding", ""))

        def worth_reading() -> None:
            self._receiver.worth_reading(source, Request(headers, b"", query, self._clock()))

        declared = headers.get("content-length", "")
        body = await self._bodies.read(receive, declared, worth_reading)
        now, read_ms = self._clock(), round((perf_counter() - began) * 1000, 3)
        kept_body, text = (None, body) if isinstance(body, bytes) else (body, b"")
        request = Request(headers, text, query, now)
        return Delivery(source, request, now, kept_body, sender, read_ms), body

    async def _answer(self, scope: Scope, send: Send, delivery: Delivery) -> None:
        try:
            accepted = await self._receiver.receive(delivery)
        except Problem as problem:
            self._note_refusal(scope, problem)
            await _refuse(send, problem)
        except Exception:  # an adapter may be anybody's
            logger.exception("delivery not understood", extra={"path": scope["path"][:200]})
            await _refuse(send, mistake())
        else:
            await self._accept(send, delivery, accepted)

    def _note_refusal(self, scope: Scope, problem: Problem) -> None:
        self._refused.note(scope, _without_frames(problem))
        self._counts.refused(names_of(scope["path"])[1], problem.code)
        if isinstance(problem, TooManyBadSignatures):
            return  # counted, and told once a while
        if not self._lines.is_due(problem.code):
            return
        path = scope["path"][:200]
        keys = {"status": problem.status, "code": problem.code, "path": path}
        sender = {"source": names_of(path)[1], "peer": self._admission.sender(scope)}
        extra = {**keys, **sender, "detail": problem.detail, **problem.log_keys}
        logger.warning("delivery refused", extra=extra)

    async def _accept(self, send: Send, delivery: Delivery, accepted: Accepted) -> None:
        verdict = accepted.explanation["verdict"]
        self._counts.accepted(delivery.source.name, verdict, accepted.took_ms / 1000)
        number = accepted.number
        inspect = None if number is None else f"{self._deliveries_url}{number}"
        body = encode(accepted.explanation | {"inspect": inspect})
        headers = {"x-directcd-verdict": verdict}
        await respond(send, accepted.status, body, "application/json", headers)


def _is_delivery(method: str, query: str) -> bool:
    # Gitea and Gogs can be told to deliver by GET, with the JSON in the query.
    return method == "POST" or (method == "GET" and "payload=" in query)


def _not_a_delivery(method: str) -> Problem:
    return Problem(
        405,
        "not-a-delivery",
        f"this is a webhook endpoint, POST here ({method} without a payload arrived)",
        (
            "if a forge sent this, it followed a redirect and lost the body: "
            "give it this URL exactly, scheme and trailing slash included"
        ),
    )


def _without_frames(problem: Problem) -> Problem:
    # They hold pieces of the body, and the answer may take a second.
    problem.__cause__ = problem.__context__ = None
    return problem.with_traceback(None)


def _refuse_encoded(encoding: str) -> None:
    if encoding.strip().lower() not in {"", "identity"}:
        raise Problem(
            415,
            "encoded-body",
            f"the body is encoded as {encoding[:50]}, and signatures are of what was sent plainly",
            "send it uncompressed, without Content-Encoding",
        )


async def _refuse(send: Send, problem: Problem) -> None:
    await respond_problem(send, problem, _refusal_headers(problem))


async def _refuse_unread(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    headers = _refusal_headers(problem)
    if not _has_body(scope):
        await respond_problem(send, problem, headers)
        return
    await respond_problem(send, problem, headers | {"connection": "close"}, more_body=True)
    await drain(receive)
    await send({"type": "http.response.body", "body": b""})


def _has_body(scope: Scope) -> bool:
    headers = header_map(scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _refusal_headers(problem: Problem) -> dict[str, str]:
    headers = {"x-directcd-verdict": "refused"}
    if isinstance(problem, TooManyBadSignatures):
        headers["retry-after"] = str(problem.retry_after_seconds)
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        # Spread: all that were refused together must not come back together.
        headers["retry-after"] = str(randbelow(RETRY_SPREAD_SECONDS) + RETRY_AFTER_SECONDS)
    elif problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = "POST"
    return headers
