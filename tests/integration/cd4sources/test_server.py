"""The server's HTTP contract: watch, download, targets, and every way to be told no."""

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from tests.support.serving import Serving, offers, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
async def running(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", target_of("app", source.path)) as server:
        yield server


def query(source: Source, **more: str) -> dict[str, str]:
    return {"repo": str(source.path), **more}


async def current_version(running: Serving) -> str:
    current = running.follower().offer.current
    assert current is not None
    return current.version


async def test_watch_without_version_answers_at_once(running: Serving, source: Source) -> None:
    """Who knows nothing yet gets the current version, whole."""
    answer = await running.http.get("/watch", params=query(source))
    record = answer.json()
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{record["version"]}"'
    assert record["repositories"] == [
        {"url": str(source.path), "ref": "HEAD", "commit": source.git("rev-parse", "HEAD")}
    ]
    assert record["artifact"]["sha256"] == hashlib.sha256(b"one").hexdigest()


async def test_watch_wakes_on_publish(running: Serving, source: Source) -> None:
    """Who has the current version waits, and is answered when a newer one is published."""
    version = await current_version(running)
    async with asyncio.TaskGroup() as tasks:
        asking = running.http.get("/watch", params=query(source, version=version))
        waiting = tasks.create_task(asking)
        assert (await running.http.get("/livez")).status_code == 200
        assert not waiting.done()
        source.commit({"words": "two"})
        await running.look()
    assert waiting.result().json()["version"] != version


async def test_watch_times_out_with_204(running: Serving, source: Source) -> None:
    """Nothing new in time is an answer without content."""
    params = query(source, version=await current_version(running), timeout="0.05")
    assert (await running.http.get("/watch", params=params)).status_code == 204


async def test_watch_with_etag_is_304(running: Serving, source: Source) -> None:
    """A conditional question about the current version is answered at once."""
    headers = {"If-None-Match": f'"{await current_version(running)}"'}
    answer = await running.http.get("/watch", params=query(source), headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")


async def test_watch_answers_503_when_stopping(running: Serving, source: Source) -> None:
    """A server that ends lets everybody go at once, and says when to come again."""
    params = query(source, version=await current_version(running))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(running.http.get("/watch", params=params))
        await running.http.get("/livez")
        running.app.state.stopping.set()
    answer = waiting.result()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["code"] == "stopping"
    assert (await running.http.get("/readyz")).status_code == 503


async def test_unknown_set_names_the_nearest(running: Serving, source: Source) -> None:
    """A misspelt repository is answered with the right spelling and the next step."""
    answer = await running.http.get("/watch", params={"repo": f"{source.path}x"})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "unknown-target"
    assert str(source.path) in problem["detail"]
    assert "GET /v1/targets" in problem["next"]


async def test_watch_before_the_first_build_tells_the_reason(
    tmp_path: Path, source: Source
) -> None:
    """A target that never built waits, then says in one header line what is wrong."""
    source.commit({"build.sh": "echo ümlaut; echo no such header; exit 7\n"})
    async with serving(tmp_path / "data", target_of("app", source.path)) as running:
        answer = await running.http.get("/watch", params=query(source, timeout="0"))
        assert answer.status_code == 204
        said = answer.headers["X-Directcd-Last-Error"]
        assert "ended with 7" in said
        assert said.endswith("no such header")
        answer = await running.http.get("/download", params=query(source))
        assert (answer.status_code, answer.json()["code"]) == (404, "nothing-built")


async def test_watch_tells_that_the_newest_push_failed(running: Serving, source: Source) -> None:
    """The old version is offered, with the reason why it is not the newest."""
    source.commit({"build.sh": "exit 7\n"})
    await running.look()
    answer = await running.http.get("/watch", params=query(source))
    assert answer.status_code == 200
    assert "ended with 7" in answer.headers["X-Directcd-Last-Error"]


async def test_download_is_the_artifact(running: Serving, source: Source) -> None:
    """The bytes, with their digest and a tag."""
    answer = await running.http.get("/download", params=query(source))
    digest = hashlib.sha256(b"one")
    assert answer.content == b"one"
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["Repr-Digest"] == (
        f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    )


async def test_record_url_downloads_that_version(running: Serving, source: Source) -> None:
    """The address in the answer of /watch gives the version it stands beside, also when old."""
    record = (await running.http.get("/watch", params=query(source))).json()
    source.commit({"words": "two"})
    await running.look()
    assert (await running.http.get(record["artifact"]["url"])).content == b"one"


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"Range": "bytes=1-2"}, 206, b"ne"),
        ({"Range": "bytes=1-2", "If-Range": '"other"'}, 200, b"one"),
        ({"If-None-Match": f'"{hashlib.sha256(b"one").hexdigest()}"'}, 304, b""),
    ],
    ids=["range", "if-range", "if-none-match"],
)
async def test_download_is_conditional(
    running: Serving, source: Source, headers: dict[str, str], status: int, content: bytes
) -> None:
    """A broken download goes on where it was, and nothing is sent twice."""
    answer = await running.http.get("/download", params=query(source), headers=headers)
    assert (answer.status_code, answer.content) == (status, content)


async def test_head_has_headers_only(running: Serving, source: Source) -> None:
    """HEAD tells the size without the bytes."""
    answer = await running.http.head("/download", params=query(source))
    assert (answer.headers["Content-Length"], answer.content) == ("3", b"")


async def test_evicted_version_is_gone(running: Serving, source: Source) -> None:
    """A version that is not kept is answered with the newest."""
    params = query(source, version="v-000000000000")
    answer = await running.http.get("/download", params=params)
    assert answer.status_code == 410
    assert await current_version(running) in answer.json()["next"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/watch", 400, "bad-request"),
        ("/watch?repo=x&timeout=nan", 400, "bad-request"),
        ("/watch?repo=x&ref=a..b", 404, "unknown-target"),
        ("/download?repo=x", 404, "unknown-target"),
        ("/v1/targets/nope", 404, "unknown-target"),
        ("/nowhere", 404, "not-found"),
    ],
)
async def test_every_no_is_a_problem(running: Serving, path: str, status: int, code: str) -> None:
    """Wrong questions get a reason and a next step, never a bare status."""
    answer = await running.http.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["next"]


async def test_ref_tells_branches_apart(tmp_path: Path, source: Source) -> None:
    """Two branches of one repository are two targets: without a ref the question is refused."""
    source.git("branch", "dev")
    targets = [target_of(ref, source.path, ref=ref) for ref in ("main", "dev")]
    async with serving(tmp_path / "data", *targets) as running:
        found = await running.http.get("/watch", params=query(source, ref="dev"))
        unclear = await running.http.get("/watch", params=query(source))
        wrong = await running.http.get("/watch", params=query(source, ref="a..b"))
    assert found.json()["target"] == "dev"
    assert (unclear.status_code, unclear.json()["code"]) == (409, "ambiguous-target")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad-ref")


async def test_version_must_be_a_version(running: Serving, source: Source) -> None:
    """What is no version id never reaches the disk."""
    params = query(source, version="../../../etc")
    answer = await running.http.get("/download", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-version")


async def test_target_tells_its_state(running: Serving, source: Source) -> None:
    """One target's page: current version, last pass, last error."""
    source.commit({"build.sh": "exit 7\n"})
    await running.look()
    shown = (await running.http.get("/v1/targets/app")).json()
    assert shown["current"]["version"] == await current_version(running)
    assert (shown["last_error"]["stage"], shown["last_pass_at"] is not None) == ("built", True)
    assert (await running.http.get("/v1/targets")).json() == {"targets": [shown]}


async def test_refresh_looks_now(running: Serving, source: Source) -> None:
    """An operator need not wait for the poll."""
    commit = source.commit({"words": "two"})
    assert (await running.http.post("/v1/targets/app/refresh")).status_code == 202
    follower = running.follower()
    await offers(follower, commit)


@pytest.fixture
def port() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@asynccontextmanager
async def listening(app: FastAPI, port: socket.socket) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind a real uvicorn on a real socket."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    url = f"http://127.0.0.1:{port.getsockname()[1]}"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server._serve([port]))
        await eventually(lambda: server.started)
        async with httpx.AsyncClient(base_url=url) as http:
            yield http
        server.should_exit = True


async def test_watch_ends_when_its_client_leaves(
    tmp_path: Path, source: Source, port: socket.socket
) -> None:
    """A client that goes away leaves no waiting handler behind."""
    settings = ServerSettings(data=tmp_path / "data")
    app = create_app(settings, [target_of("app", source.path)])
    async with listening(app, port) as http:
        record = (await http.get("/watch", params=query(source))).json()
        before = len(asyncio.all_tasks())
        params = query(source, version=record["version"])
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/watch", params=params, timeout=0.2)
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
