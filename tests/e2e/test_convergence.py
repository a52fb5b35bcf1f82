"""kill -9 of any part at any stage, then a restart: the newest commit runs, by itself."""

import threading

import pytest

from directcd.demo.story import STAGES
from directcd.demo.world import PARTS, World


@pytest.mark.timeout(90)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_part_killed_at_a_stage_is_no_lasting_harm(part: str, stage: str) -> None:
    """
    1. Version one runs.
    2. Version two is pushed; when the stage is reported, the part is killed.
    3. The part is started again.
    Result: version two answers, without another push.
    """
    with World(poll_interval_seconds=1.5) as world:
        for name in PARTS:
            world.start(name)
        world.wait_for("the server to follow the hub", world.ready)
        deliver(world, "one")
        commit = world.commit("two")
        push = threading.Thread(target=world.push)
        push.start()
        world.wait_for(stage, lambda: stage in {s["stage"] for s in world.stages(commit)})
        world.kill(part)
        world.start(part)
        push.join()
        world.wait_for("two", lambda: "two" in world.answer())
        settled(world, "two")


def test_a_push_while_the_hub_is_down_is_found_by_polling() -> None:
    """The forge's only attempt fails, and the commit is delivered all the same."""
    with World(poll_interval_seconds=1) as world:
        for name in PARTS:
            world.start(name)
        world.wait_for("the server to follow the hub", world.ready)
        deliver(world, "one")
        world.kill("hub")
        deliver(world, "two")


def test_a_failing_build_leaves_the_old_version_running() -> None:
    """The exit code and the last lines are told; the next good commit heals."""
    with World() as world:
        for name in PARTS:
            world.start(name)
        world.wait_for("the server to follow the hub", world.ready)
        deliver(world, "one")
        broken = {"build.sh": "#!/bin/sh\necho no compiler here >&2\nexit 3\n"}
        commit = world.commit_files(broken, "broken")
        world.push()
        world.wait_for("a failed build", lambda: failed_build(world, commit))
        message = failed_build(world, commit)
        assert "3" in message
        assert "no compiler here" in message
        assert "one" in world.answer()
        deliver(world, "three")


def deliver(world: World, message: str) -> None:
    """Push a version and wait until it answers."""
    world.commit(message)
    world.push()
    world.wait_for(message, lambda: message in world.answer())
    settled(world, message)


def settled(world: World, message: str) -> None:
    """Wait until nobody else answers any more: old and new share the port for a moment."""
    world.wait_for(f"only {message}", lambda: all(message in world.answer() for _ in range(20)))


def failed_build(world: World, commit: str) -> str:
    """The message of the failed build of a commit, "" while there is none."""
    stages = world.stages(commit)
    return next((s["message"] for s in stages if s["result"] == "failed"), "")
