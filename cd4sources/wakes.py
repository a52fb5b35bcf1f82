"""
Reasons to look now: they shorten the poll, they never replace it.

A notification only says "look now" (what is built is what git says), so lost, doubled or forged
ones cost at most time. Whenever some may have been lost, everything is looked at once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NoReturn, Protocol
from urllib.parse import quote

from pydantic import BaseModel

from cd4sources.backoff import Backoff, Outage
from cd4sources.http import BadStatus, HttpError
from cd4sources.hub_api import HubApi, why
from cd4sources.notifications import (
    MalformedNotification,
    Notification,
    parse_notification,
)
from cd4sources.sources.announced import Announced
from cd4sources.sse import ServerSentEvent

__all__ = ["Mailbox", "MissedReason", "Notification", "Reason", "Wake", "follow_hub"]

LEASE_SECONDS = 60.0
"""The hub forgets a subscriber that is silent for so long; renewed at a third of it."""

SILENCE_SECONDS = 40.0
"""The hub pings every 15 s: after two missed pings the stream is dead."""

FIRST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 5.0
"""Bounds of the pauses between attempts to reach the hub."""

STEADY_SECONDS = 1.0
"""A stream that lived for so long may be opened again at once after its goodbye."""

NOT_FOUND = 404

MissedReason = Literal["reconnect", "gap"]
Reason = Literal["start", "poll", "push", "reconnect", "gap", "refresh", "rebuild", "retry"]

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wake:
    """One reason to look now, and the trace that it belongs to."""

    reason: Reason
    traceparent: str | None = None
    received_at: datetime = field(default_factory=_now)
    announced: Announced | None = None


class Mailbox:
    """
    One slot for wakes; the newest wins.

    A thousand wakes during one pass are one more pass. The sender never waits. One receiver.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._wake: Wake | None = None
        self._filled = asyncio.Event()

    def put(self, wake: Wake) -> Wake | None:
        """Leave a wake, in place of an older one that nobody has taken; return that."""
        older, self._wake = self._wake, wake
        self._filled.set()
        return older

    async def get(self, timeout_seconds: float | None = None) -> Wake | None:
        """
        Take the wake, waiting for one.

        Args:
            timeout_seconds: The longest wait; None waits forever.

        Returns:
            The newest wake, or None when none came in time.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._filled.wait()
        except TimeoutError:
            pass  # one may have come at the same moment: it must not be lost
        self._filled.clear()
        wake, self._wake = self._wake, None
        return wake


class Followed(Protocol):
    """A repository to be told about."""

    @property
    def url(self) -> str:
        """Its URL, without credentials."""

    @property
    def ref(self) -> str:
        """The full ref, empty for any."""


class _Subscription(BaseModel):
    id: str
    cursor: str


async def follow_hub(
    hub: HubApi,
    name: str,
    repositories: Sequence[Followed],
    on_notification: Callable[[Notification], None],
    on_missed: Callable[[MissedReason], None],
) -> NoReturn:
    """
    Follow a hub's notifications for ever, whatever happens to it; cancel to end.

    Args:
        hub: The hub.
        name: The subscription's name; a later subscription of the same name takes its place.
        repositories: What to be told about.
        on_notification: Called for each push, must not block.
        on_missed: Called whenever pushes may have been missed: look at everything once.
    """
    wanted = [_wanted(repository) for repository in repositories]
    follower = _Follower(hub, name, wanted)
    outage = Outage("hub", Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS))
    hearer = _Hearer(on_notification, on_missed)
    while True:  # noqa: ASYNC110 -- the sleep is the pause between connections
        await asyncio.sleep(await follower.connection(hearer, outage))


def _wanted(repository: Followed) -> dict[str, str]:
    return {"url": repository.url} | ({"ref": repository.ref} if repository.ref else {})


@dataclass(frozen=True)
class _Hearer:
    """Who is told."""

    on_notification: Callable[[Notification], None]
    on_missed: Callable[[MissedReason], None]

    def hear(self, event: ServerSentEvent) -> None:
        """Pass on what one event of the stream means."""
        if event.event == "gap":
            logger.warning("hub no longer has everything since the last event")
            self.on_missed("gap")
        elif event.event == "message" and event.data:
            self._notify(event.data)

    def _notify(self, text: str) -> None:
        try:
            notification = parse_notification(text)
        except MalformedNotification:
            # It may have been about anything.
            logger.warning("malformed notification", extra={"start": text[:100]})
            self.on_missed("gap")
        else:
            self.on_notification(notification)


class _Follower:
    """One subscription at a hub, and how far its events have been read."""

    def __init__(self, hub: HubApi, name: str, wanted: list[dict[str, str]]) -> None:
        """Begin unsubscribed."""
        self._hub = hub
        self._subscription = {"name": name, "repositories": wanted, "deliver": {"mode": "stream"}}
        self._id = ""
        self._cursor = ""
        self._renew_at = 0.0

    async def connection(self, hearer: _Hearer, outage: Outage) -> float:
        """Follow one connection until it ends; return the seconds to wait before the next."""
        began = time.monotonic()
        try:
            if not (self._id and self._cursor):
                await self._subscribe(hearer)
            goodbye = await self._listen(hearer, outage)
        except HttpError as error:
            self._forget_if_unknown(error)
            self._hub.hearing.reason = why(error)
            return outage.failed(why(error))
        except Exception as error:
            # Polling goes on underneath, so a mistake here costs time, never a push.
            logger.exception("following the hub failed")
            return outage.failed(type(error).__name__)
        finally:
            self._hub.hearing.ended()
        if goodbye and time.monotonic() - began > STEADY_SECONDS:
            return _spread_seconds(goodbye)
        return outage.failed("the hub ended the stream")

    async def _subscribe(self, hearer: _Hearer) -> None:
        lease = {"lease_seconds": LEASE_SECONDS}
        reply = await self._hub.post("/v1/subscriptions", self._subscription | lease)
        subscription = reply.read(_Subscription)
        self._id = subscription.id
        # Where the last subscription was read up to is still good: the log is the hub's, not its.
        self._cursor = self._cursor or subscription.cursor
        self._renew_at = time.monotonic() + LEASE_SECONDS / 3
        logger.info("subscribed", extra={"hub": self._hub.shown, "subscription": self._id})
        hearer.on_missed("reconnect")

    async def _listen(self, hearer: _Hearer, outage: Outage) -> ServerSentEvent | None:
        """Hear events until the stream ends; return the hub's goodbye if it said one."""
        query = [("subscription", self._id)]
        if self._cursor:
            query.append(("after", self._cursor))
        async with self._hub.events(
            query, last_event_id=self._cursor, silence_seconds=SILENCE_SECONDS
        ) as events:
            outage.over()
            self._hub.hearing.began()
            async for event in events:
                hearer.hear(event)
                self._move(event)
                if event.event == "bye":
                    return event
                # The hub's pings keep the beat here: no second task needed.
                await self._renew_when_due()
        return None

    def _move(self, event: ServerSentEvent) -> None:
        if event.id:
            self._cursor = event.id
        elif event.event == "gap":
            # It would meet the same gap again; subscribing anew gives a new one.
            self._cursor = ""

    async def _renew_when_due(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        path = f"/v1/subscriptions/{quote(self._id, safe='')}/lease"
        await self._hub.put(path, {"lease_seconds": LEASE_SECONDS})
        self._renew_at = time.monotonic() + LEASE_SECONDS / 3

    def _forget_if_unknown(self, error: HttpError) -> None:
        if isinstance(error, BadStatus) and error.status == NOT_FOUND:
            self._id = ""


def _spread_seconds(goodbye: ServerSentEvent) -> float:
    """When the hub names a pause, its subscribers come back spread over it."""
    asked = min((goodbye.retry_milliseconds or 0) / 1000, MOST_PAUSE_SECONDS)
    return random.uniform(0, asked)  # noqa: S311 -- jitter is no secret
