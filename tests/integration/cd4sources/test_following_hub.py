"""Following a hub: a notification becomes a version, and every stage is told with its trace."""

import asyncio
import json
import os
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


async def test_a_push_that_a_newer_one_overtakes_is_told_as_skipped(pushing: Pushing) -> None:
    """While the first is built, the second waits and the third takes its place."""
    source, traces = pushing.source, [f"00-{number * 32}-{'2' * 16}-01" for number in "567"]
    gate = source.path.parent / "gate"
    os.mkfifo(gate)
    source.commit({"words": "first", "build.sh": f"[ $1 = build ] && read go < {gate}\n{BUILD_SH}"})
    pushing.push(traces[0])
    await eventually(lambda: ("fetched", "ok") in pushing.told(traces[0]))
    source.commit({"words": "second", "build.sh": BUILD_SH})
    pushing.push(traces[1])
    await eventually(lambda: pushing.told(traces[1]) == [("notified", "ok")])
    newest = source.commit({"words": "third"})
    pushing.push(traces[2])
    skipped = [("notified", "ok"), ("fetched", "skipped")]
    await eventually(lambda: pushing.told(traces[1]) == skipped)
    assert pushing.hub.reports[-1]["message"] == f"superseded by {newest[:12]}"
    await asyncio.to_thread(gate.write_text, "go\n")
    await eventually(lambda: ("published", "ok") in pushing.told(traces[2]))


async def test_what_only_a_poll_has_found_is_told_to_the_hub(tmp_path: Path) -> None:
    """With the commits it found."""
    source = Source(tmp_path / "app")
    source.commit({"build.sh": BUILD_SH, "words": "one"})
    target = target_of("app", source.path, ref="main")
    async with peers.serving(HubPeer()) as hub:
        async with serving(
            tmp_path / "data", target, hub=hub.url, poll_interval_seconds=0.1
        ) as running:
            await eventually(lambda: hub.streams)
            await running.look()  # whatever else had it look is over
            commit = source.commit({"words": "unannounced"})
            await eventually(lambda: [one for one in hub.reports if one["caught"]])
        [caught] = [one for one in hub.reports if one["caught"]]
    assert caught["stage"] == "fetched"
    assert json.loads(json.dumps(caught["commits"])) == [["app", commit]]
