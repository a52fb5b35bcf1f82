"""What the demo shows: two pushes, each followed until the new program answers."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from directcd.demo.world import World

STAGES = ("received", "notified", "fetched", "built", "published", "downloaded", "running")
PUSHES = (("Hello", "a first push"), ("Hello again", "a second push, while the first runs"))


def tell(*, as_json: bool) -> bool:
    """
    Run the demo.

    Args:
        as_json: print the timelines as JSON instead of lines for people.

    Returns:
        Whether the second version really answered at the end.

    Raises:
        DemoError: a stage was not reached.
    """
    say = _quiet if as_json else _say
    with World() as world, world.interruptible():
        say("A repository, a hub, a server and a client, in " + str(world.root))
        for part in ("hub", "server", "client"):
            world.start(part)
        world.wait_for("the server to follow the hub", world.ready)
        timelines = [_push(world, *push, say) for push in PUSHES]
        answer = world.answer()
    running = bool(answer == timelines[-1]["answer"] != timelines[0]["answer"])
    if as_json:
        json.dump({"timelines": timelines, "running": running}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    say("All processes ended, all files removed.")
    return running


def _push(world: World, message: str, title: str, say: Callable[[str], None]) -> dict[str, Any]:
    commit = world.commit(message)
    expected = f"{message} (commit {commit})"
    say(f"\ngit push: {title}, {commit[:12]}")
    show = _Lines(world, commit, time.time(), say)
    world.push()
    world.wait_for(f"the program to say {expected!r}", lambda: show.news(expected))
    world.wait_for("every stage to be reported", lambda: show.news(expected) and show.complete)
    return {
        "commit": commit,
        "answer": expected,
        "answered_ms": show.answered_ms,
        "stages": show.stages,
    }


class _Lines:
    """Says each stage of one push when it is first seen, in milliseconds since the push."""

    def __init__(
        self, world: World, commit: str, pushed_at: float, say: Callable[[str], None]
    ) -> None:
        self._world = world
        self._commit = commit
        self._pushed_at = pushed_at
        self._say = say
        self._said: set[str] = set()
        self.answered_ms = 0.0

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The stages so far, each with its end in milliseconds since the push."""
        stages = self._world.stages(self._commit)
        return [
            {"stage": stage["stage"], "result": stage["result"], "ms": self._since(stage["at"])}
            for stage in stages
        ]

    @property
    def complete(self) -> bool:
        """Whether every stage was reported and has been said."""
        return self._said.issuperset(STAGES)

    def news(self, expected: str) -> bool:
        """Say what is new; whether the expected program answers."""
        for stage in self.stages:
            if stage["stage"] not in self._said:
                self._said.add(stage["stage"])
                self._say(f"  {stage['ms']:7.0f} ms  {stage['stage']}")
        if not self.answered_ms and self._world.answer() == expected:
            self.answered_ms = round((time.time() - self._pushed_at) * 1000, 1)
            self._say(f"  {self.answered_ms:7.0f} ms  the program answers: {expected!r}")
        return bool(self.answered_ms)

    def _since(self, at: str) -> float:
        return round((datetime.fromisoformat(at).timestamp() - self._pushed_at) * 1000, 1)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _quiet(_: str) -> None:
    pass
