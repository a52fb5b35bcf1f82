"""The server's API of builds and versions: what operators see and change."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cd4sources.wakes import Wake
from tests.support.serving import BUILD_SH, Serving, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
async def running(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", target_of("app", source.path)) as server:
        yield server


async def get(running: Serving, path: str, **params: str) -> Any:
    answer = await running.http.get(f"/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(running: Serving, path: str, status: int, **body: str) -> Any:
    answer = await running.http.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_versions_show_what_is_offered(running: Serving, source: Source) -> None:
    """Newest first; current, pinned and running are told of each."""
    source.commit({"words": "two"})
    follower = await running.look()
    newest, older = (await get(running, "targets/app/versions"))["versions"]
    assert (newest["current"], older["current"]) == (True, False)
    assert newest["published_at"].endswith("Z")
    follower.offer.noted(older["version"])
    await post(running, "targets/app/pin", 200, version=older["version"])
    newest, older = (await get(running, "targets/app/versions"))["versions"]
    assert [older[flag] for flag in ("current", "pinned", "running")] == [True] * 3
    assert [newest[flag] for flag in ("current", "pinned", "running")] == [False] * 3


async def test_pin_and_unpin_wake_watchers(running: Serving, source: Source) -> None:
    """Whoever watches is told at once, as of any other version."""
    older = running.follower().offer.current
    source.commit({"words": "two"})
    newest = (await running.look()).offer.current
    assert older is not None
    assert newest is not None
    query = {"repo": str(source.path), "version": newest.version}
    watching = asyncio.ensure_future(running.http.get("/watch", params=query))
    state = await post(running, "targets/app/rollback", 200)
    assert (state["pinned"], state["current"]["version"]) == (older.version, older.version)
    assert (await watching).json()["version"] == older.version
    assert (await get(running, "targets/app"))["pinned"] == older.version
    state = await post(running, "targets/app/unpin", 200)
    assert (state["pinned"], state["current"]["version"]) == (None, newest.version)


async def test_a_pinned_version_that_is_lost_is_a_problem(
    running: Serving, source: Source, tmp_path: Path
) -> None:
    """Whoever looks is told the way out, for it is not made again; unpinned, the target goes on."""
    source.commit({"words": "two"})
    await running.look()
    pinned = (await post(running, "targets/app/rollback", 200))["pinned"]
    shutil.rmtree(tmp_path / "data/versions/app" / pinned)
    await running.look()
    refused = await running.http.get("/download", params={"repo": str(source.path)})
    assert (refused.status_code, "versions unpin app" in refused.json()["next"]) == (503, True)
    error = (await get(running, "targets/app"))["last_error"]
    assert (error["version"], "versions unpin app" in error["message"]) == (pinned, True)
    watched = await running.http.get("/watch", params={"repo": str(source.path)})
    assert pinned in watched.headers["X-Directcd-Last-Error"]
    await post(running, "targets/app/unpin", 200)
    await eventually(lambda: running.follower().failure is None)
    assert (await running.http.get("/download", params={"repo": str(source.path)})).text == "two"


async def test_impossible_pins_are_problems(running: Serving) -> None:
    """A version that is not kept, one that is no version, nothing to go back to."""
    gone = await post(running, "targets/app/pin", 404, version="v-000000000000")
    odd = await post(running, "targets/app/pin", 400, version="../..")
    before = await post(running, "targets/app/rollback", 409)
    unknown = await post(running, "targets/other/unpin", 404)
    codes = [problem["code"] for problem in (gone, odd, before, unknown)]
    assert codes == ["unknown-version", "bad-request", "no-earlier-version", "unknown-target"]


async def test_builds_tell_how_they_ended(running: Serving, source: Source) -> None:
    """Also those that failed: state, exit code, reason and the whole log."""
    source.commit({"build.sh": "echo no such header; exit 7\n"})
    await running.look()
    failed, first = (await get(running, "builds", target="app"))["builds"]
    assert [first[name] for name in ("state", "reason", "exit_code")] == ["ok", "start", 0]
    assert [failed[name] for name in ("state", "reason", "exit_code")] == ["failed", "poll", 7]
    assert failed == await get(running, f"builds/{failed['id']}")
    assert (await get(running, "builds", limit="1"))["builds"] == [failed]
    log = await running.http.get(f"/v1/builds/{failed['id']}/log")
    assert (log.text, log.headers["content-type"]) == (
        "no such header\n",
        "text/plain; charset=utf-8",
    )


async def test_log_is_served_in_parts(running: Serving, source: Source) -> None:
    """A long log can be read from its end."""
    source.commit({"build.sh": f"echo some words\n{BUILD_SH}"})
    await running.look()
    (build,) = (await get(running, "builds", limit="1"))["builds"]
    headers = {"Range": "bytes=-6"}
    log = await running.http.get(f"/v1/builds/{build['id']}/log", headers=headers)
    assert (log.status_code, log.text) == (206, "t.txt\n")


async def test_a_growing_log_ends_where_it_was(
    running: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has said its length by then."""
    (build,) = running.app.state.builds.list(["app"], limit=1)
    log = running.app.state.builds.log(build)
    path = f"/v1/builds/{build.id}/log"
    read = os.pread

    def read_while_it_grows(file: int, length: int, at: int) -> bytes:
        log.write_text(log.read_text() + "more\n")
        return read(file, length, at)

    before = log.read_text()
    monkeypatch.setattr(os, "pread", read_while_it_grows)
    answer = await running.http.get(path)
    assert (answer.text, answer.headers["content-length"]) == (before, str(len(before)))
    beyond = {"Range": "bytes=9999-"}
    answer = await running.http.get(path, headers=beyond)
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")


async def test_log_is_followed_to_the_end(tmp_path: Path, running: Serving, source: Source) -> None:
    """What was printed before, and what comes until the build ends."""
    gate = tmp_path / "gate"
    hang = (
        f'test "$1" = artifact || {{ echo before; while ! test -e {gate}; do sleep 0.01; done; }}'
    )
    source.commit({"build.sh": f"{hang}\necho after\n{BUILD_SH}"})
    running.follower().wake(Wake("poll"))
    builds = running.app.state.builds
    await eventually(lambda: builds._running)
    (build,) = builds.list(["app"], limit=1)
    asking = running.http.get(f"/v1/builds/{build.id}/log", params={"follow": "1"})
    following = asyncio.ensure_future(asking)
    await eventually(lambda: builds.read_log(build, 0, 100))
    assert not following.done()
    gate.touch()
    assert (await following).text == "before\nafter\nafter\nartifact.txt\n"


async def test_running_build_is_cancelled(tmp_path: Path, running: Serving, source: Source) -> None:
    """Once; a second time there is nothing to cancel."""
    source.commit({"build.sh": "sleep 300\n"})
    running.follower().wake(Wake("poll"))
    builds = running.app.state.builds
    await eventually(lambda: builds._running)
    (build,) = builds.list(["app"], limit=1)
    await eventually(lambda: running.follower()._maker._running)
    await post(running, f"builds/{build.id}/cancel", 202)
    await eventually(lambda: not builds._running)
    assert (await get(running, f"builds/{build.id}"))["state"] == "cancelled"
    problem = await post(running, f"builds/{build.id}/cancel", 409)
    assert problem["code"] == "not-running"


async def test_unknown_builds_are_problems(running: Serving) -> None:
    """Neither a strange id nor a strange target reaches the disk."""
    for path in ("builds/b-0000000000000", "builds/..%2f..", "builds/b-0000000000000/log"):
        answer = await running.http.get(f"/v1/{path}")
        assert answer.status_code == 404
    answer = await running.http.get("/v1/builds", params={"target": "*"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-target")


async def test_rebuild_makes_it_again(running: Serving) -> None:
    """A second build of the same version."""
    await post(running, "targets/app/rebuild", 202)
    await eventually(lambda: len(running.app.state.builds.list(["app"], limit=10)) == 2)
    newest, first = (await get(running, "builds"))["builds"]
    assert (newest["reason"], newest["version"]) == ("rebuild", first["version"])
