"""/watch over real sockets: who waits, for how long, and what everybody is told at once."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cd4sources import signing
from cd4sources.api import watching
from cd4sources.waiting import SLICE
from directcd import deadlines
from tests.support.serving import Serving, listening, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
async def running(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    async with listening(tmp_path / "data", target_of("app", source.path)) as server:
        yield server


def question(running: Serving, source: Source, **more: str) -> dict[str, str]:
    """Of who runs the current version."""
    current = running.follower().offer.current
    assert current
    return {"repo": str(source.path), "version": current.version, **more}


def waiting(running: Serving) -> int:
    return len(running.follower().offer.watchers)


async def test_everybody_is_told(running: Serving, source: Source) -> None:
    """Also those of the second slice: the same answer, whole."""
    params = question(running, source)
    url, number = running.http.base_url, SLICE + 5
    peers = [await asyncio.open_connection(url.host, url.port) for _ in range(number)]
    for _, writer in peers:
        path = f"/watch?repo={source.path}&version={params['version']}"
        writer.write(f"GET {path} HTTP/1.1\r\nhost: [::1]\r\nconnection: close\r\n\r\n".encode())
    await eventually(lambda: waiting(running) == number)
    source.commit({"words": "two"})
    await running.look()
    answers = {(await reader.read()).partition(b"\r\n\r\n")[2] for reader, _ in peers}
    for _, writer in peers:
        writer.close()
    assert len(answers) == 1
    assert params["version"].encode() not in answers.pop()


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one of several on a connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return head, await reader.readexactly(int(length[1]) if length else 0)


async def test_a_connection_goes_on_after_a_wait(running: Serving, source: Source) -> None:
    """With what was asked meanwhile, and with the headers that every answer has."""
    params = question(running, source)
    reader, writer = await asyncio.open_connection(
        running.http.base_url.host, running.http.base_url.port
    )
    watch = f"/watch?repo={source.path}&version={params['version']}"
    for path in (watch, f"{watch}&timeout=0.01", "/livez"):
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    await eventually(lambda: waiting(running) == 1)
    source.commit({"words": "two"})
    await running.look()
    async with asyncio.timeout(10):
        answers = [await _answer(reader) for _ in range(3)]
    writer.close()
    assert [head.partition(b"\r\n")[0] for head, _ in answers] == [b"HTTP/1.1 200 OK"] * 3
    assert answers[0][1] == answers[1][1] != answers[2][1]
    assert {head.count(b"date: ") for head, _ in answers} == {1}


async def test_who_leaves_waits_no_more(running: Serving, source: Source) -> None:
    """A connection that ends is noticed at once."""
    params = question(running, source)
    task = asyncio.create_task(running.http.get("/watch", params=params))
    await eventually(lambda: waiting(running) == 1)
    task.cancel()
    await eventually(lambda: waiting(running) == 0)


async def test_only_so_many_may_wait(
    running: Serving, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is told to come back; who needs not wait is answered."""
    monkeypatch.setattr(watching, "MOST_WATCHERS", 1)
    params = question(running, source)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(running.http.get("/watch", params=params))
        await eventually(lambda: waiting(running) == 1)
        refused = await running.http.get("/watch", params=params)
        served = await running.http.get("/watch", params={"repo": str(source.path)})
        task.cancel()
    assert (refused.status_code, refused.json()["code"]) == (503, "too-many-watchers")
    assert 5 <= int(refused.headers["Retry-After"]) <= 15
    assert served.status_code == 200


async def test_watch_is_asked_with_get(running: Serving, source: Source) -> None:
    """Anything else is refused, saying so."""
    for method in ("HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
        answer = await running.http.request(method, "/watch", params=question(running, source))
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


async def test_who_waits_is_not_late(
    running: Serving, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadlines are for those who send: a wait may be longer."""
    monkeypatch.setattr(deadlines, "HEADERS_SECONDS", 0.01)
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 0.01)
    params = question(running, source, timeout=str(2.5 * deadlines.LOOK_EVERY_SECONDS))
    assert (await running.http.get("/watch", params=params)).status_code == 204


async def test_nobody_may_keep_an_answer(running: Serving, source: Source) -> None:
    """Whatever stands between must ask again."""
    nothing = await running.http.get("/watch", params=question(running, source, timeout="0"))
    news = await running.http.get("/watch", params={"repo": str(source.path)})
    assert (nothing.status_code, news.status_code) == (204, 200)
    assert {one.headers["Cache-Control"] for one in (nothing, news)} == {"no-store"}


@pytest.mark.parametrize(
    ("asked", "most"), [("20", 20), ("1e9", 300), ("-5", 0), ("", 50)], ids=str
)
def test_a_wait_ends_a_little_early(asked: str, most: float) -> None:
    """Never later than asked, and not all at the same time."""
    found = [watching.seconds_to_wait(asked) for _ in range(100)]
    assert all(0.9 * most <= seconds <= most for seconds in found)
    assert most == 0 or len(set(found)) > 50


async def test_nonsense_is_a_problem(running: Serving) -> None:
    """With a reason; nothing of it is a mistake of ours."""
    many = "&".join(["repo=x"] * 101)
    for query in ("", "repo=", "repo=x&timeout=soon", many, "&".join("a=b" for _ in range(200))):
        answer = await running.http.get(f"/watch?{query}")
        assert answer.status_code in {400, 404}
        assert answer.json()["next"]


async def test_a_signature_goes_with_the_artifact(tmp_path: Path, source: Source) -> None:
    """Also with one that was built before there was a key."""
    target = target_of("app", source.path)
    async with listening(tmp_path / "data", target) as unsigned:
        answer = await unsigned.http.get("/watch", params={"repo": str(source.path)})
        assert "signature" not in answer.json()["artifact"]
    key = signing.new_private_key()
    path = tmp_path / "key.pem"
    path.write_bytes(signing.private_pem(key))
    async with listening(tmp_path / "data", target, signing_key_file=path) as running:
        answer = await running.http.get("/watch", params={"repo": str(source.path)})
    record, artifact = answer.json(), answer.json()["artifact"]
    facts = signing.statement(
        record["target"], record["version"], artifact["name"], artifact["size"], artifact["sha256"]
    )
    public = signing.load_public_key(signing.public_line(key))
    assert signing.is_signed([public], facts, artifact["signature"])


async def test_the_document_describes_watch(running: Serving) -> None:
    """The path that FastAPI does not know, and what it refers to."""
    document = (await running.http.get("/openapi.json")).json()
    answers = document["paths"]["/watch"]["get"]["responses"]
    [schema] = [one["schema"]["$ref"] for one in answers["200"]["content"].values()]
    assert "version" in document["components"]["schemas"][schema.rpartition("/")[2]]["properties"]
    assert {"401", "403", "404", "405", "503"} <= answers.keys()
    scopes = {
        path: one["security"] for path, many in document["paths"].items() for one in many.values()
    }
    assert scopes["/watch"] == [{"token": ["read"]}, {}]
    assert scopes["/v1/targets/{name}/pin"] == [{"token": ["admin"]}, {}]
    assert scopes["/livez"] == []


async def test_what_a_client_runs_is_not_what_it_was_offered(
    running: Serving, source: Source
) -> None:
    """It may have refused the version it has heard of last: `running` says so."""
    store, old = running.app.state.store, question(running, source)
    source.commit({"words": "two"})
    await running.look()
    new = question(running, source) | {"timeout": "0", "running": old["version"]}
    await running.http.get("/watch", params=new)
    assert store.running("app") == {old["version"]}
