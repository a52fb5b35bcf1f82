"""Following a hub: a notification becomes a version, and every stage is told with its trace."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cd4sources import peers
from tests.integration.cd4sources.peers import HubPeer
from tests.support.serving import BUILD_SH, Serving, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

EARLIER = f"00-{'3' * 32}-{'4' * 16}-01"
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


@dataclass(frozen=True)
class Pushing:
    """A source, a server that follows a hub, and the hub."""

    source: Source
    running: Serving
    hub: HubPeer

    def push(self, trace: str = TRACE) -> None:
        """Notify of a push to the source."""
        keys, commit = [f"file:{self.source.path}"], self.source.git("rev-parse", "HEAD")
        data = {"repository": {"keys": keys}, "ref": "refs/heads/main", "after": commit}
        event = {"id": "e-1-x", "traceparent": trace, "data": data}
        self.hub.say(f"id: e-1-x\ndata: {json.dumps(event)}")

    def told(self, trace: str = TRACE) -> list[tuple[str, str]]:
        """Stage and result of every report of the push."""
        reports = [one for one in self.hub.reports if one["traceparent"] == trace]
        return [(one["stage"], one["result"]) for one in reports]


@pytest.fixture
async def pushing(tmp_path: Path) -> AsyncIterator[Pushing]:
    source = Source(tmp_path / "app")
    source.commit({"build.sh": BUILD_SH, "words": "one"})
    target = target_of("app", source.path, ref="main")
    async with (
        peers.serving(HubPeer()) as hub,
        serving(tmp_path / "data", target, hub=hub.url, name="me") as running,
    ):
        await eventually(lambda: hub.streams)
        pushing = Pushing(source, running, hub)
        pushing.push(EARLIER)  # once it was looked at, no pass that began before is under way
        await eventually(lambda: ("built", "unchanged") in pushing.told(EARLIER))
        yield pushing


async def test_push_is_told_stage_by_stage(pushing: Pushing) -> None:
    """From the notification to the published version, each stage is reported once, in order."""
    pushing.source.commit({"words": "two"})
    pushing.push()
    stages = ("notified", "fetched", "built", "published")
    await eventually(lambda: pushing.told() == [(stage, "ok") for stage in stages])
    last = pushing.hub.reports[-1]
    current = pushing.running.follower().offer.current
    assert current is not None
    assert (last["version"], last["reporter"]) == (current.version, "me")
    assert current.traceparent == TRACE


async def test_push_of_nothing_new_is_told_as_unchanged(pushing: Pushing) -> None:
    """A doubled notification is seen to have had no effect."""
    pushing.push()
    unchanged = [("fetched", "unchanged"), ("built", "unchanged")]
    await eventually(lambda: pushing.told() == [("notified", "ok"), *unchanged])


async def test_failed_build_is_told_with_its_reason(pushing: Pushing) -> None:
    """The one who pushed can see why nothing new runs."""
    pushing.source.commit({"build.sh": "echo no such header; exit 7\n"})
    pushing.push()
    await eventually(lambda: ("built", "failed") in pushing.told())
    assert "no such header" in pushing.hub.reports[-1]["message"]
