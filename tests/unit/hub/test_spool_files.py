"""The spool's files: order, what a crash and a bad disk leave, and the limit."""

import errno
import os
from pathlib import Path

import pytest

from hub.log.base import LogUnavailable
from hub.log.spool_files import SpoolFiles
from hub.log.spool_position import Place
from hub.log.spool_records import framed

RECORD_BYTES = len(framed(b"0000"))


def spool(directory: Path, *, segment_bytes: int = 1000, limit_bytes: int = 100_000) -> SpoolFiles:
    """An open spool, as after a restart."""
    files = SpoolFiles(directory, segment_bytes=segment_bytes, limit_bytes=limit_bytes)
    files.open()
    return files


def numbers(first: int, last: int) -> list[bytes]:
    """Payloads of four bytes."""
    return [b"%04d" % number for number in range(first, last)]


def fill(files: SpoolFiles, first: int, last: int) -> None:
    """Append payloads one by one."""
    for payload in numbers(first, last):
        files.append([payload])


def drained(files: SpoolFiles) -> list[bytes]:
    """Everything that waits, taken up."""
    payloads: list[bytes] = []
    while not files.is_empty:
        batch = files.read()
        payloads += batch.payloads
        files.advance(batch.end)
    return payloads


def segments(directory: Path) -> list[Path]:
    """The files that hold records."""
    return sorted(directory.glob("*.spool"))


def test_records_come_back_in_order_over_segments(tmp_path: Path) -> None:
    """What was appended first is taken up first, whatever file it is in."""
    files = spool(tmp_path)
    fill(files, 0, 300)
    assert len(segments(tmp_path)) > 3
    assert files.waiting == (300, 300 * RECORD_BYTES)
    assert drained(files) == numbers(0, 300)
    assert files.waiting == (0, 0)


def test_what_was_taken_up_is_removed_from_the_disk(tmp_path: Path) -> None:
    """Segment by segment, and everything in the end."""
    files = spool(tmp_path)
    fill(files, 0, 300)
    before = segments(tmp_path)
    while (batch := files.read()).end.segment == int(before[0].stem):
        files.advance(batch.end)
    files.advance(batch.end)
    assert before[0] not in segments(tmp_path)
    drained(files)
    assert list(tmp_path.iterdir()) == []


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was not taken up is there, what was is not, and new records come behind."""
    files = spool(tmp_path, segment_bytes=100_000)
    fill(files, 0, 300)
    files.advance(files.read().end)
    again = spool(tmp_path)
    fill(again, 300, 310)
    assert again.waiting[0] == 310 - 256
    assert drained(again) == numbers(256, 310)


def test_a_position_that_was_changed_is_the_beginning(tmp_path: Path) -> None:
    """A place that looks right, too: deliveries behind it would be lost."""
    files = spool(tmp_path)
    fill(files, 0, 10)
    segment = int(segments(tmp_path)[0].stem)
    files.advance(Place(segment, 5 * RECORD_BYTES, 5))
    assert drained(spool(tmp_path)) == numbers(5, 10)
    fill(spool(tmp_path), 0, 10)
    position = tmp_path / "spool.position"
    segment = int(segments(tmp_path)[0].stem)
    files = spool(tmp_path)
    files.advance(Place(segment, 5 * RECORD_BYTES, 5))
    position.write_text(position.read_text().replace(f" {5 * RECORD_BYTES} ", " -1 "))
    assert drained(spool(tmp_path)) == numbers(0, 10)


@pytest.mark.parametrize("text", ["", "x", "1", "1 2 3 4", "99 0 0"], ids=repr)
def test_a_position_that_means_nothing_is_the_beginning(tmp_path: Path, text: str) -> None:
    """Taken up twice is harmless, taken up never is not."""
    fill(spool(tmp_path), 0, 10)
    (tmp_path / "spool.position").write_text(text)
    assert drained(spool(tmp_path)) == numbers(0, 10)


def test_a_position_outlives_its_file_without_harm(tmp_path: Path) -> None:
    """No later file has the name of an earlier one."""
    files = spool(tmp_path)
    fill(files, 0, 10)
    files.advance(Place(int(segments(tmp_path)[0].stem), 5 * RECORD_BYTES, 5))
    position = (tmp_path / "spool.position").read_text()
    drained(files)
    (tmp_path / "spool.position").write_text(position)
    again = spool(tmp_path)
    fill(again, 10, 20)
    again.close()
    assert drained(spool(tmp_path)) == numbers(10, 20)


@pytest.mark.parametrize("kept", range(1, RECORD_BYTES))
def test_a_torn_end_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: int) -> None:
    """A record that was being written when the process died was never answered."""
    fill(spool(tmp_path), 0, 3)
    [path] = segments(tmp_path)
    os.truncate(path, 2 * RECORD_BYTES + kept)
    again = spool(tmp_path)
    assert path.stat().st_size == 2 * RECORD_BYTES
    assert "torn end" in caplog.text
    assert again.waiting[0] == 2
    fill(again, 3, 5)
    assert drained(again) == [b"0000", b"0001", b"0003", b"0004"]


def test_a_file_with_nothing_whole_in_it_is_no_obstacle(tmp_path: Path) -> None:
    """The very first record was torn."""
    fill(spool(tmp_path), 0, 1)
    os.truncate(segments(tmp_path)[0], 5)
    again = spool(tmp_path)
    assert again.is_empty
    fill(again, 1, 3)
    assert drained(again) == numbers(1, 3)


@pytest.mark.parametrize("offset", range(RECORD_BYTES))
def test_a_damaged_record_is_skipped_and_kept_for_a_person(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, offset: int
) -> None:
    """Whichever byte is wrong, its length included, the others are found."""
    fill(spool(tmp_path), 0, 5)
    [path] = segments(tmp_path)
    _flip(path, 2 * RECORD_BYTES + offset)
    damaged = path.read_bytes()[2 * RECORD_BYTES : 3 * RECORD_BYTES]
    again = spool(tmp_path)
    again.read()
    assert drained(again) == [b"0000", b"0001", b"0003", b"0004"]
    [said] = [vars(one)["reason"] for one in caplog.records]
    assert f"is damaged at offset {2 * RECORD_BYTES}" in said
    assert again.unreadable is not None
    assert again.unreadable.read_bytes() == framed(damaged)


@pytest.mark.parametrize("offset", [0, 3, *range(8, RECORD_BYTES)])
@pytest.mark.parametrize("whole", [0, 2])
def test_a_damaged_last_record_is_not_taken_for_a_torn_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, whole: int, offset: int
) -> None:
    """It was answered: it is kept for a person, and the spool goes on."""
    fill(spool(tmp_path), 0, whole + 1)
    [path] = segments(tmp_path)
    _flip(path, whole * RECORD_BYTES + offset)
    damaged = path.read_bytes()[whole * RECORD_BYTES :]
    again = spool(tmp_path)
    assert again.unreadable is not None
    assert again.unreadable.read_bytes() == framed(damaged)
    assert "torn end" not in caplog.text
    fill(again, 7, 8)
    assert drained(again) == [*numbers(0, whole), b"0007"]


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x55
    path.write_bytes(content)


def test_damage_at_the_end_of_an_earlier_segment_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next segment begins anew, and the count is right again there."""
    fill(spool(tmp_path), 0, 3)
    fill(spool(tmp_path), 3, 6)
    os.truncate(segments(tmp_path)[0], 2 * RECORD_BYTES + 3)
    assert drained(spool(tmp_path)) == [b"0000", b"0001", b"0003", b"0004", b"0005"]
    [said] = [vars(one)["reason"] for one in caplog.records]
    assert f"is damaged at offset {2 * RECORD_BYTES}" in said


def test_zeros_where_records_should_be_are_no_records(tmp_path: Path) -> None:
    """Some file systems leave them after a power cut."""
    fill(spool(tmp_path), 0, 3)
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes() + b"\0" * 3_000_000)
    again = spool(tmp_path)
    assert path.stat().st_size == 3 * RECORD_BYTES
    assert drained(again) == numbers(0, 3)


def test_beyond_the_limit_nothing_is_taken(tmp_path: Path) -> None:
    """Until something was taken up."""
    files = spool(tmp_path, segment_bytes=100, limit_bytes=10 * RECORD_BYTES)
    fill(files, 0, 10)
    with pytest.raises(LogUnavailable, match="has reached 160 bytes"):
        files.append([b"more"])
    with pytest.raises(LogUnavailable, match="has reached 160 bytes"):
        files.check()
    assert drained(files) == numbers(0, 10)
    files.append([b"more"])
    assert drained(files) == [b"more"]


def test_what_the_disk_does_not_confirm_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written, but not for certain: it is taken back, and the next one is tried anew."""
    files = spool(tmp_path)
    fill(files, 0, 2)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(LogUnavailable, match="Input/output error"):
            files.append([b"lost"])
    assert segments(tmp_path)[0].stat().st_size == 2 * RECORD_BYTES
    fill(files, 2, 4)
    assert drained(files) == numbers(0, 4)


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """With its name."""
    files = spool(tmp_path / "gone")
    with pytest.raises(LogUnavailable, match="gone cannot be used: No such file"):
        files.append([b"0"])


def test_a_position_that_cannot_be_saved_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was taken up goes on; only a restart would take it up again."""
    files = spool(tmp_path)
    fill(files, 0, 300)
    (tmp_path / "spool.position").mkdir()
    batch = files.read()
    files.advance(batch.end)
    assert "position was not saved" in caplog.text
    assert not (tmp_path / "spool.position.new").exists()
    assert files.read().payloads == tuple(numbers(len(batch.payloads), 2 * len(batch.payloads)))
