"""`/v1/dead-letters`: notifications that a callback did not take; look, send again, throw away."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from hub.callbacks.sending import Outcome
from hub.callbacks.worker import Callbacks
from hub.log.base import CallbackStore
from hub.log.values import DeadLetter
from hub.problem import Problem

MOST = 2**62  # what SQLite can compare with
PAGE = 500

Number = Annotated[int, Path(ge=1, le=MOST, description="its number in the list")]


def router(store: CallbackStore, callbacks: Callbacks) -> APIRouter:
    """The routes over one store."""
    routes = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

    @routes.get("")
    async def list_newest(
        subscription: Annotated[str, Query(description="of this one alone, by its id")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 50,
        before: Annotated[
            int | None, Query(ge=1, le=MOST, description="a number: go on behind it")
        ] = None,
    ) -> dict[str, Any]:
        """Dead letters, newest first; `before` continues behind an earlier page."""
        found: list[DeadLetter] = []
        async for letter in _newest(store, subscription, before):
            found.append(letter)
            if len(found) == limit:
                break
        return {"dead_letters": [_view(letter) for letter in found]}

    @routes.get("/{number}")
    async def get(number: Number) -> dict[str, Any]:
        """One dead letter with its notification."""
        return _view(_known(await store.dead_letter(number), number))

    @routes.post("/{number}/resend", status_code=204)
    async def resend(number: Number) -> Response:
        """Post it once more, at once and outside the order; when it is taken, it is forgotten."""
        _see_taken(await callbacks.resend(_known(await store.dead_letter(number), number)))
        await store.remove_dead_letter(number)
        return Response(status_code=204)

    @routes.delete("/{number}", status_code=204)
    async def delete(number: Number) -> Response:
        """Throw it away."""
        if not await store.remove_dead_letter(number):
            _known(None, number)
        return Response(status_code=204)

    return routes


async def _newest(
    store: CallbackStore, subscription: str, before: int | None
) -> AsyncIterator[DeadLetter]:
    while page := await store.dead_letters(PAGE, before):
        for letter in page:
            if subscription in {"", letter.subscription_id}:
                yield letter
        before = page[-1].number


def _see_taken(outcome: Outcome | None) -> None:
    if outcome is None:
        raise Problem(
            409,
            "no-callback",
            "its subscription has no callback any more",
            "subscribe again with `deliver`, or DELETE the dead letter",
        )
    if not outcome.taken:
        step = "mend the receiver, then try again; the dead letter is kept"
        raise Problem(502, "callback-failed", outcome.reason, step)


def _known(letter: DeadLetter | None, number: int) -> DeadLetter:
    if letter is None:
        raise Problem(
            404,
            "unknown-dead-letter",
            f"dead letter {number} is not kept",
            "GET /v1/dead-letters lists those that are",
        )
    return letter


def _view(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.number,
        "subscription": letter.subscription_id,
        "cursor": letter.cursor,
        "reason": letter.reason,
        "buried_at": letter.buried_at.isoformat(timespec="seconds"),
        "notification": json.loads(letter.message),
    }
