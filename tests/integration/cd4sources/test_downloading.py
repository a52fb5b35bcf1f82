"""/download over real sockets: parts, breaks, and files that change or go while they are sent."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cd4sources.api.sending import PIECE_BYTES, opened
from tests.support.serving import BUILD_SH, Serving, listening, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

WORDS = "".join(f"{number:07}\n" for number in range(250_000))  # 2 MB: more than sockets hold
BYTES = WORDS.encode()
ETAG = f'"{hashlib.sha256(BYTES).hexdigest()}"'


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "git" / "app")
    made.commit({"build.sh": BUILD_SH, "words": WORDS})
    return made


@pytest.fixture
async def running(tmp_path: Path, source: Source) -> AsyncIterator[Serving]:
    async with listening(tmp_path / "data", target_of("app", source.path)) as server:
        yield server


async def asked(
    running: Serving, source: Source, method: str = "GET", version: str = "", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    params = {"repo": str(source.path)} | ({"version": version} if version else {})
    return await running.http.request(method, "/download", params=params, headers=named)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "at",
    [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, len(BYTES) - 1],
    ids=["first", "before a piece", "between pieces", "behind it", "last"],
)
async def test_a_download_goes_on_anywhere(running: Serving, source: Source, at: int) -> None:
    """The rest, with its place and the length of the rest."""
    answer = await asked(running, source, Range=f"bytes={at}-", If_Range=ETAG)
    assert (answer.status_code, answer.content == BYTES[at:]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {at}-{len(BYTES) - 1}/{len(BYTES)}"
    assert answer.headers["ETag"] == ETAG


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("bytes=3-5", BYTES[3:6]), ("bytes=-9", BYTES[-9:]), ("bytes=0-1,4-5", BYTES)],
    ids=["closed", "suffix", "several"],
)
async def test_a_range_is_a_part(
    running: Serving, source: Source, header: str, wanted: bytes
) -> None:
    """Of several, all is sent."""
    assert (await asked(running, source, Range=header)).content == wanted


async def test_another_file_is_sent_whole(running: Serving, source: Source) -> None:
    """Who began with other bytes does not get the rest of these."""
    for other in ('"other"', f"W/{ETAG}", "Sat, 28 Nov 2026 00:00:00 GMT"):
        answer = await asked(running, source, Range="bytes=5-", If_Range=other)
        assert (answer.status_code, answer.content == BYTES) == (200, True)


async def test_a_range_behind_the_end_is_refused(running: Serving, source: Source) -> None:
    """With the size there is."""
    answer = await asked(running, source, Range=f"bytes={len(BYTES)}-")
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(BYTES)}"


async def test_head_ignores_ranges(running: Serving, source: Source) -> None:
    """It tells about the whole file."""
    answer = await asked(running, source, "HEAD", Range="bytes=5-")
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(BYTES)))
    assert (answer.headers["Accept-Ranges"], answer.content) == ("bytes", b"")


async def test_caches_ask_again(running: Serving, source: Source) -> None:
    """Another version may be current, and a rebuild makes other bytes of the same version."""
    current = running.follower().offer.current
    assert current
    known = await asked(running, source, version=current.version, If_None_Match=f'"x", W/{ETAG}')
    assert (known.status_code, known.headers["ETag"]) == (304, ETAG)
    for version in ("", current.version):
        answer = await asked(running, source, "HEAD", version)
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_what_is_removed_meanwhile_arrives_whole(
    running: Serving, source: Source, tmp_path: Path
) -> None:
    """An open file outlives its directory."""
    params = {"repo": str(source.path)}
    async with running.http.stream("GET", "/download", params=params) as answer:
        [artifact] = (tmp_path / "data" / "versions").glob("app/v-*/app")
        artifact.unlink()
        assert hashlib.sha256(await answer.aread()).hexdigest() in ETAG
    gone = await asked(running, source)
    assert (gone.status_code, gone.json()["code"]) == (503, "artifact-missing")


@pytest.mark.parametrize("damage", ["shorter", "a link", "a pipe"])
async def test_nothing_of_a_damaged_file_is_sent(
    running: Serving, source: Source, tmp_path: Path, damage: str
) -> None:
    """Whoever has put what there."""
    [artifact] = (tmp_path / "data" / "versions").glob("app/v-*/app")
    artifact.rename(artifact.with_name("moved"))
    if damage == "shorter":
        artifact.write_bytes(BYTES[:-1])
    elif damage == "a link":
        artifact.symlink_to("moved")
    else:
        os.mkfifo(artifact)
    answer = await asked(running, source)
    assert (answer.status_code, answer.json()["code"]) == (503, "artifact-missing")


def test_a_pipe_is_no_empty_file(tmp_path: Path) -> None:
    """Although it has no size either."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    assert opened(tmp_path / "pipe", 0) is None
    with opened(tmp_path / "empty", 0) or pytest.fail("not opened") as file:
        assert file.read() == b""


async def test_who_leaves_keeps_no_file_open(running: Serving, source: Source) -> None:
    """A client that goes away in the middle costs nothing afterwards."""
    before = open_descriptors()
    url = running.http.base_url
    for _ in range(5):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"GET /download?repo={source.path} HTTP/1.1\r\nhost: [::1]\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
    await eventually(lambda: open_descriptors() <= before)
