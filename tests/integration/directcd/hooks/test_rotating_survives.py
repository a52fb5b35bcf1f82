"""A rotation while pushes keep coming, and one that is killed at any of its steps."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.forge_apis.server import Answer
from tests.support.hooking import COMMAND, ROOT, SECRET_FILE, Scene, commit, scene
from tests.support.hubs import subscribe

OLD = "webhook-secret-5b1d"
QUICKLY = ("--wait", "5", "--settle", "0.5")
URL = "http://git.test/acme/shop"


@pytest.mark.parametrize("provider", ["github", "gitea", "gitlab"])
async def test_no_push_is_lost_and_none_told_twice(tmp_path: Path, provider: str) -> None:
    """Every one of them is taken, and heard of once, whatever it was signed with."""
    async with scene(tmp_path, provider) as here:
        here.write(SECRET_FILE, OLD)
        here.add_hook()
        async with here.hub() as hub:
            cursor = await subscribe(hub, URL)
            rotation = asyncio.create_task(here.run("rotate", *QUICKLY), name="rotation")
            pushed: list[str] = []
            while not rotation.done():
                number = len(pushed) + 1
                assert {*await here.push(number=number)} <= {200, 202}
                pushed.append(commit(number))
            assert (await rotation).returncode == 0, (await rotation).stderr
            heard = await all_told(hub, cursor)
        assert len(pushed) > 10
        assert heard == pushed
        assert here.hook.secret == here.secret != OLD


async def all_told(hub: httpx.AsyncClient, cursor: str) -> list[str]:
    """The commits that a subscriber has heard of, but for tests, which move nothing."""
    heard: list[str] = []
    query: dict[str, str | int] = {"repository": URL, "after": cursor, "timeout": 0}
    while (answer := await hub.get("/v1/events", params=query)).status_code == 200:
        found = answer.json()
        assert not found["gap"]
        moved = [one["data"] for one in found["events"]]
        heard += [one["after"] for one in moved if one["before"] != one["after"]]
        query["after"] = found["cursor"]
    return heard


@pytest.mark.parametrize("when", ["before", "after"], ids=["asked", "done"])
@pytest.mark.parametrize("provider", ["github", "gitea"])
async def test_killed_at_any_step_the_next_call_ends_it(
    tmp_path: Path, provider: str, when: str
) -> None:
    """Without a third secret that would lock a webhook out."""
    for step in range(1, 6):
        place = tmp_path / str(step)
        async with scene(place, provider) as here:
            here.write(SECRET_FILE, OLD)
            here.add_hook()
            async with here.hub():
                was_killed = await killed(here, step, when)
                assert {*await here.push()} <= {200, 202}
                done = await here.run("rotate", *QUICKLY)
                assert done.returncode == 0, done.stderr
                assert here.hook.secret == here.secret != OLD
                assert [path.name for path in here.secret_file.parent.iterdir()] == ["webhook"]
        if not was_killed:
            return
    raise AssertionError("it takes more steps than that")


async def killed(here: Scene, step: int, when: str) -> bool:
    """Rotate, killed at so many requests to the forge; False when it did not take so many."""
    answer = here.forge.answer
    left = [step]
    target: list[int] = []

    def answering(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        left[0] -= 1
        if left[0]:
            return answer(method, path, headers, body)
        if when == "after":
            answer(method, path, headers, body)
        os.kill(target[0], signal.SIGKILL)
        return Answer(500)

    here.forge.answer = answering  # type: ignore[method-assign, assignment]
    running = await asyncio.create_subprocess_exec(
        *COMMAND,
        "rotate",
        *QUICKLY,
        cwd=here.place,
        env={**os.environ, "PYTHONPATH": ROOT},
        stderr=subprocess.DEVNULL,
    )
    target.append(running.pid)
    code = await running.wait()
    here.forge.answer = answer  # type: ignore[method-assign]
    return code == -signal.SIGKILL
