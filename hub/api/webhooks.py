"""
`POST /webhooks/{provider}[/{source}]`, as raw ASGI.

This is the one path strangers reach and the one that must stay fast, so it is answered before
FastAPI's router and middleware.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from adapters import Request
from hub.api.asgi import Receive, Scope, Send, header_map, respond, respond_problem
from hub.problem import Problem, mistake
from hub.receiving import Accepted, Delivery, Receiver

logger = logging.getLogger(__name__)

PREFIX = "/webhooks"
RETRY_AFTER_SECONDS = 5


class ClientGone(Exception):
    """The sender hung up before the body was complete."""


class WebhookEndpoint:
    """Reads a delivery off the wire under a limit, and answers with its explanation."""

    def __init__(
        self,
        receiver: Receiver,
        clock: Callable[[], datetime],
        *,
        body_limit_bytes: int,
        public_url: str,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._limit = body_limit_bytes
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = scope["query_string"].decode("latin-1")
        if not _is_delivery(scope["method"], query):
            problem = _not_a_delivery(scope["method"])
            _log_refusal(scope, problem)
            await respond_problem(send, problem, {"allow": "POST"})
            return
        try:
            delivery = await self._read(scope, receive, query)
            accepted = await self._receiver.receive(delivery)
        except ClientGone:
            return
        except Problem as problem:
            _log_refusal(scope, problem)
            await _refuse(send, problem)
        except Exception:  # an adapter may be anybody's
            logger.exception("delivery not understood", extra={"path": scope["path"][:200]})
            await _refuse(send, mistake())
        else:
            await self._accept(send, accepted)

    async def _read(self, scope: Scope, receive: Receive, query: str) -> Delivery:
        headers = header_map(scope)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._limit:
            raise _too_large(self._limit)
        provider, _, name = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
        source = self._receiver.source(provider, name)  # nobody's body is not worth reading
        body = await read_body(receive, self._limit)
        now = self._clock()
        return Delivery(source, Request(headers, body, query, now), now)

    async def _accept(self, send: Send, accepted: Accepted) -> None:
        body = accepted.explanation.as_json()
        body["inspect"] = f"{self._public_url}/v1/deliveries/{accepted.number}"
        await respond(
            send,
            accepted.status,
            json.dumps(body).encode(),
            "application/json",
            {"x-directcd-verdict": accepted.explanation.verdict},
        )


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """
    The request's body.

    Raises:
        Problem: it is over the limit; reading stopped there.
        ClientGone: the sender hung up.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit_bytes: int) -> Problem:
    return Problem(
        413,
        "body-too-large",
        f"the body is over {limit_bytes} bytes, the rest of it was not read",
        "raise hub.body_limit_bytes if your forge really sends this much",
    )


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


def _log_refusal(scope: Scope, problem: Problem) -> None:
    keys = {"status": problem.status, "code": problem.code, "path": scope["path"][:200]}
    logger.warning("delivery refused", extra={**keys, "detail": problem.detail, **problem.log_keys})


async def _refuse(send: Send, problem: Problem) -> None:
    headers = {"x-directcd-verdict": "refused"}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers["connection"] = "close"  # the rest of the body is still on its way
    await respond_problem(send, problem, headers)
