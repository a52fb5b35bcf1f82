"""
`/live`: says that something has changed, and what kind of thing; the page then asks for it.

Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), raw and cheap:
a few are open for hours.
"""

import asyncio
from collections.abc import Callable, Iterable

from hub.api.asgi import Receive, Scope, Send, respond_problem
from hub.counting import Counts
from hub.counting_trail import TrailCounts
from hub.problem import Problem

PATH = "/live"
MOST_OPEN = 200
STRANGERS_MOST = 150  # of these; the others are for whoever has a token
PING_SECONDS = 15.0
LOOK_SECONDS = 0.5

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


class Bell:
    """Wakes every open page when something has changed."""

    def __init__(self) -> None:
        self._pages: set[_Page] = set()

    def ring(self, kind: str) -> None:
        """Say that something of a kind has changed; from the event loop, and never in the way."""
        for page in self._pages:
            page.changed.add(kind)
            page.woken.set()

    def is_full(self, *, for_strangers: bool) -> bool:
        """Whether no more pages may listen; strangers never take the places of all."""
        strangers = sum(page.is_strangers for page in self._pages)
        return len(self._pages) >= MOST_OPEN or (for_strangers and strangers >= STRANGERS_MOST)

    def join(self, *, is_strangers: bool) -> "_Page":
        """A page that listens from now on."""
        page = _Page(is_strangers=is_strangers)
        self._pages.add(page)
        return page

    def leave(self, page: "_Page") -> None:
        """It listens no longer."""
        self._pages.discard(page)

    def stop(self) -> None:
        """Have all of them end."""
        for page in self._pages:
            page.is_over = True
            page.woken.set()


class Watching:
    """Rings when something was counted: nobody on the way of a delivery has to think of pages."""

    def __init__(self, bell: Bell, counts: Counts, trail: TrailCounts) -> None:
        self._bell = bell
        self._counts = counts
        self._trail = trail

    async def run(self) -> None:
        """Look twice a second, until cancelled."""
        before = self._seen()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._seen()
            for kind in now:
                if now[kind] != before[kind]:
                    self._bell.ring(kind)
            before = now

    def _seen(self) -> dict[str, int]:
        return {
            "deliveries": sum(self._counts.deliveries.values()),
            "targets": sum(self._trail.stages.values()),
        }


class _Page:
    """What one open page has not been told yet; `is_strangers`: of somebody without a token."""

    def __init__(self, *, is_strangers: bool) -> None:
        self.is_strangers = is_strangers
        self.changed: set[str] = set()
        self.woken = asyncio.Event()
        self.is_over = False

    def take(self) -> Iterable[str]:
        """The kinds that have changed since the last call."""
        self.woken.clear()
        changed, self.changed = sorted(self.changed), set()
        return changed


class LiveEndpoint:
    """Answers `/live`; `is_stopping` says whether the hub is going."""

    def __init__(self, bell: Bell, is_stopping: Callable[[], bool]) -> None:
        self._bell = bell
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until the page goes, or the hub."""
        is_strangers = not scope["state"]["access"].scopes
        if self._bell.is_full(for_strangers=is_strangers) or self._is_stopping():
            await respond_problem(send, _too_many(is_strangers=is_strangers))
            return
        page = self._bell.join(is_strangers=is_strangers)
        gone = asyncio.create_task(_gone(receive), name="live page gone")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send(send, b"retry: 1000\n\n")
            while not (page.is_over or gone.done()):
                await _send(send, await _next(page, gone))
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._bell.leave(page)
            gone.cancel()


def _too_many(*, is_strangers: bool) -> Problem:
    step = "pages work without it: load them anew"
    if is_strangers:
        step += ", or sign in at /login: places are kept for those who have a token"
    return Problem(503, "too-many-pages", "no more can listen", step)


async def _next(page: _Page, gone: "asyncio.Task[None]") -> bytes:
    woken = asyncio.create_task(page.woken.wait(), name="live page woken")
    try:
        await asyncio.wait({woken, gone}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
    blocks = [b"event: %s\ndata: {}\n\n" % kind.encode() for kind in page.take()]
    return b"".join(blocks) or b": ping\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, block: bytes) -> None:
    await send({"type": "http.response.body", "body": block, "more_body": True})
