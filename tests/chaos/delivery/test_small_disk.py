"""A disk of 16 MB that somebody fills, and empties again."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cd4sources.client import Client
from cd4sources.delivery.installed import SPARE_BYTES
from cd4sources.running.commands import owned_by
from cd4sources.settings import ClientSettings
from tests.chaos.delivery.clients import ARTIFACT_BYTES, NEW, OLD, Offers, running
from tests.chaos.delivery.needs import missing
from tests.integration.cd4sources import peers
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually

SIZE = 16 * 1024 * 1024
SOME = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    argv = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    mounted = subprocess.run(argv, capture_output=True, text=True, check=False)
    if mounted.returncode:
        missing(f"needs to mount a tmpfs: {mounted.stderr.strip()}")
    yield place
    subprocess.run(("umount", "--lazy", str(place)), check=True)


def fill(disk: Path, *, but: int) -> Path:
    """A file that leaves only so many bytes of a disk."""
    filler = disk / "filler"
    there = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, there.f_bavail * there.f_frsize - but)
    return filler


@pytest.mark.parametrize("left", [0, SOME], ids=["nothing-left", "too-little-left"])
async def test_a_server_on_a_full_disk_offers_the_old_version_and_heals(
    tmp_path: Path, disk: Path, left: int
) -> None:
    """It says what is wrong; once there is space again, the next look publishes."""
    source = Source(tmp_path / "app")
    old = source.commit({"build.sh": BUILD_SH, "words": "one"})
    async with serving(disk / "data", target_of("app", source.path)) as there:
        filler = fill(disk, but=left)
        new = source.commit({"words": "two\n" * SOME})
        follower = await there.look()
        assert follower.failure is not None
        assert follower.failure.message
        assert follower.offer.current is not None
        assert follower.offer.current.lockset == (old,)
        assert (await there.http.get("/download", params={"repo": str(source.path)})).text == "one"
        filler.unlink()
        await there.look()
        assert follower.offer.current.lockset == (new,)
        assert follower.failure is None


def _reasons(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(str(vars(record).get("reason")) for record in caplog.records)


async def test_a_client_on_a_full_disk_runs_the_old_version_and_heals(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What runs goes on running; once there is space again, the new version follows."""
    data, stopping = disk / "data", asyncio.Event()
    async with peers.serving(Offers()) as offers, asyncio.TaskGroup() as tasks:
        servers = (f"{offers.url}/{OLD}/{NEW}",)
        settings = ClientSettings(data=data, servers=servers, settle_seconds=0)
        fill(disk, but=SPARE_BYTES + ARTIFACT_BYTES * 3 // 2)
        tasks.create_task(Client(settings, ["https://example.com/app"]).run(stopping))
        await eventually(lambda: f"{NEW} needs" in _reasons(caplog))
        assert f"are free where {data} is; next: make room" in _reasons(caplog)
        assert running(data) == [OLD]
        (disk / "filler").unlink()
        await eventually(lambda: running(data) == [NEW])
        stopping.set()
    assert not owned_by(data)
