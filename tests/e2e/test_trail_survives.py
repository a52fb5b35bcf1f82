"""kill -9 of the hub during a delivery: the trail of the push is whole all the same, in order."""

import os

import pytest

from directcd.demo import files
from directcd.demo.world import PARTS, World
from tests.e2e.test_convergence import deliver

TRAIL = [
    ("received", "ok"),
    ("stored", "ok"),
    ("notified", "ok"),
    ("fetched", "ok"),
    ("built", "ok"),
    ("published", "ok"),
    ("downloaded", "ok"),
    ("running", "ok"),
    ("stopped", "ok"),
]


def trail(world: World, commit: str) -> list[tuple[str, str]]:
    """Stages and results of a commit, as the hub tells them."""
    return [(one["stage"], one["result"]) for one in world.stages(commit)]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("is_away", [False, True], ids=["back before the end", "away until then"])
def test_a_hub_that_is_killed_during_a_build_has_the_whole_trail(*, is_away: bool) -> None:
    """What was reported before is on its disk, and what happens meanwhile is reported later."""
    with World() as world:
        for name in PARTS:
            world.start(name)
        world.wait_for("the server to follow the hub", world.ready)
        deliver(world, "one")
        gate = world.root / "gate"
        os.mkfifo(gate)
        build = files.BUILD.replace("mkdir -p out", f"read -r go <{gate}; mkdir -p out")
        commit = world.commit_files({"greeter.py": files.program("two"), "build.sh": build}, "two")
        world.push()
        world.wait_for("the fetch", lambda: trail(world, commit) == TRAIL[:4])
        world.kill("hub")
        if not is_away:
            world.start("hub")
            world.wait_for("the hub", world.ready)
        gate.write_text("go\n")
        world.wait_for("two", lambda: "two" in world.answer())
        if is_away:
            world.start("hub")
            world.wait_for("the hub", world.ready)
        world.wait_for("the trail", lambda: trail(world, commit)[len(TRAIL) - 1 :])
        assert trail(world, commit) == TRAIL
