"""Following a hub that cuts, forgets, drains and misspeaks."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from cd4sources import wakes
from cd4sources.http import Http
from cd4sources.hub_api import HubApi
from cd4sources.wakes import Notification, follow_hub
from tests.integration.cd4sources.peers import HubPeer, serving
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Repository:
    """A repository to follow."""

    url: str
    ref: str = ""


@dataclass
class Heard:
    """What the follower has told."""

    notifications: list[Notification] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


@asynccontextmanager
async def following(hub: HubPeer) -> AsyncIterator[Heard]:
    heard = Heard()
    repositories = [Repository("https://example.com/a.git", "refs/heads/main"), Repository("/b")]
    told = (heard.notifications.append, heard.missed.append)
    async with Http() as http, asyncio.TaskGroup() as tasks:
        follow = follow_hub(HubApi(http, hub.url), "me", repositories, *told)
        task = tasks.create_task(follow)
        yield heard
        task.cancel()


def push(cursor: str) -> str:
    data = {"repository": {"keys": ["example.com/a"]}, "ref": "refs/heads/main", "after": "c" * 40}
    return f"id: {cursor}\ndata: {json.dumps({'id': cursor, 'data': data})}"


async def test_a_subscription_looks_at_everything_and_then_hears_pushes() -> None:
    """What happened before the subscription is looked at once; then notifications come."""
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        assert heard.missed == ["reconnect"]
        hub.say(push("e-1-x"))
        await eventually(lambda: heard.notifications)
        assert heard.notifications[0].keys == {"example.com/a"}
        assert json.loads(hub.subscriptions[0].body) == {
            "name": "me",
            "repositories": [
                {"url": "https://example.com/a.git", "ref": "refs/heads/main"},
                {"url": "/b"},
            ],
            "lease_seconds": wakes.LEASE_SECONDS,
            "deliver": {"mode": "stream"},
        }


async def test_a_cut_stream_is_resumed_at_its_cursor() -> None:
    """Nothing was missed, so nothing is looked at; an id alone moves the cursor."""
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        hub.say(push("e-1-x"))
        hub.say("id: e-2-x")
        await eventually(lambda: heard.notifications)
        hub.cut()
        await eventually(lambda: len(hub.streams) == 2)
        resumed = hub.asked("GET", "/v1/events")[-1]
        assert resumed.query["after"] == [resumed.headers["last-event-id"]]
        assert resumed.query["after"][0] in {"e-1-x", "e-2-x"}
        assert heard.missed == ["reconnect"]


async def test_an_unknown_subscription_is_made_again() -> None:
    """404 on the stream: subscribe anew and look at everything, from the old cursor on."""
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        hub.say(push("e-1-x"))
        await eventually(lambda: heard.notifications)
        hub.events_status = 404
        hub.cut()
        await eventually(lambda: len(hub.subscriptions) == 2)
        hub.events_status = 200
        await eventually(lambda: len(hub.streams) == 2)
        assert heard.missed == ["reconnect"] * len(hub.subscriptions)
        assert hub.asked("GET", "/v1/events")[-1].query["after"] == ["e-1-x"]


async def test_the_lease_is_renewed_at_the_beat_of_the_pings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ping after a third of the lease renews it."""
    monkeypatch.setattr(wakes, "LEASE_SECONDS", 0.03)
    async with serving(HubPeer()) as hub, following(hub):
        await eventually(lambda: hub.streams)
        await _ping_until(hub, lambda: len(hub.asked("PUT", "/v1/subscriptions/s1/lease")) >= 2)
        assert len(hub.subscriptions) == 1


async def test_a_lost_lease_leads_to_a_new_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    """404 on renewal: the hub has forgotten us."""
    monkeypatch.setattr(wakes, "LEASE_SECONDS", 0.03)
    async with serving(HubPeer()) as hub, following(hub) as heard:
        hub.lease_status = 404
        await eventually(lambda: hub.streams)
        await _ping_until(hub, lambda: len(hub.subscriptions) == 2)
        hub.lease_status = 200
        await eventually(lambda: len(hub.streams) >= 2)
        assert heard.missed[:2] == ["reconnect", "reconnect"]


async def _ping_until(hub: HubPeer, condition: object) -> None:
    def ping() -> object:
        hub.say(": ping")
        return condition()  # type: ignore[operator]

    await eventually(ping)


async def test_a_gap_looks_at_everything_and_takes_a_new_cursor() -> None:
    """The old cursor would only meet the same gap again."""
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        hub.say('event: gap\ndata: {"reason": "flushed"}')
        await eventually(lambda: heard.missed == ["reconnect", "gap"])
        hub.cut()
        await eventually(lambda: len(hub.streams) == 2)
        assert len(hub.subscriptions) == 2


async def test_a_malformed_notification_looks_at_everything() -> None:
    """It may have been about anything, and the stream goes on."""
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        hub.say("id: e-1-x\ndata: {nonsense")
        hub.say(push("e-2-x"))
        await eventually(lambda: heard.notifications)
        assert heard.missed == ["reconnect", "gap"]


async def test_after_a_goodbye_the_hub_is_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A drain is no failure: no pause, and nothing missed."""
    monkeypatch.setattr(wakes, "STEADY_SECONDS", 0)
    monkeypatch.setattr(wakes, "FIRST_PAUSE_SECONDS", 60)
    async with serving(HubPeer()) as hub, following(hub) as heard:
        await eventually(lambda: hub.streams)
        hub.say("event: bye\nretry: 10")
        await eventually(lambda: len(hub.streams) == 2)
        assert heard.missed == ["reconnect"]


async def test_a_hub_that_comes_late_is_found() -> None:
    """Refused connections and errors are waited out."""
    hub = HubPeer()
    await hub.open()
    port = int(hub.url.rpartition(":")[2])
    await hub.close()
    async with following(hub) as heard:
        await asyncio.sleep(0)
        await hub.open(port)
        await eventually(lambda: heard.missed == ["reconnect"])
        await hub.close()
