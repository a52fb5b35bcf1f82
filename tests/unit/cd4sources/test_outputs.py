"""Logs of builds: the beginning and the end, whatever lies between."""

import asyncio
from pathlib import Path

import pytest

from cd4sources.running import outputs
from cd4sources.running.outputs import collected


async def logged(log: Path, *pieces: bytes) -> str:
    """What a log holds after a command that printed these."""
    await printed(log, *pieces)
    return await asyncio.to_thread(log.read_text)


async def printed(log: Path, *pieces: bytes) -> None:
    async with collected(log) as output:
        for piece in pieces:
            output.add(piece)
        output.close_write_ends()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "LOG_BYTES", 10)
    monkeypatch.setattr(outputs, "TAIL_BYTES", 5)


async def test_short_output_is_logged_whole(tmp_path: Path) -> None:
    """Nothing is added to what fits."""
    assert await logged(tmp_path / "log", b"12345", b"67890") == "1234567890"


async def test_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    """Where the error stands; what is missing between is counted."""
    text = await logged(tmp_path / "log", b"1234567", b"890abc", b"defghij")
    assert text == "1234567890\n… 5 bytes left out …\nfghij"


async def test_a_little_more_than_fits_is_logged_whole(tmp_path: Path) -> None:
    """The end begins where the beginning ended."""
    assert await logged(tmp_path / "log", b"1234567890", b"abc") == "1234567890abc"


async def test_steps_share_the_room(tmp_path: Path) -> None:
    """A second step that finds the log full still shows its end."""
    await logged(tmp_path / "log", b"1234567890")
    assert (await logged(tmp_path / "log", b"abcdef")).endswith("\n… 1 bytes left out …\nbcdef")


async def test_a_full_disk_does_not_stop_the_command() -> None:
    """The log is lost, the output is not."""
    async with collected(Path("/dev/full")) as output:
        output.add(b"words")
        output.close_write_ends()
    assert output.tail == b"words"


@pytest.mark.parametrize("ticks", range(8))
async def test_a_cancel_while_the_end_is_awaited_is_not_lost(tmp_path: Path, ticks: int) -> None:
    """In whichever round of the event loop the cancel and the end of the output meet."""
    async with collected(tmp_path / "log") as output:
        draining = asyncio.ensure_future(output.drain())
        await asyncio.sleep(0)
        output.close_write_ends()
        for reader in output.readers:
            reader.closed.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        if draining.cancel():
            await asyncio.wait([draining])
            assert draining.cancelled()
