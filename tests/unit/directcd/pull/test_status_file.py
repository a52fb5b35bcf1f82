"""The status file: whole, up to date, and nobody's harm."""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cd4sources.reporting import StageReport
from directcd.pull import status_file
from directcd.pull.standing import Lasting, Standing
from directcd.pull.status_file import StatusFile
from tests.support.stages import BEGAN, COMMIT, OTHER, VERSION, failed, fetched, report


class Kept:
    """A status file that is told as a teller tells it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.standing = Standing()
        self.file = StatusFile(path, "shop", self.standing)

    def told(self, *reports: StageReport) -> dict[str, Any]:
        """What stands there after these."""
        for one in reports:
            self.standing.ended(one)
            self.file.ended(one)
        return self.read()

    def read(self) -> dict[str, Any]:
        """What stands there."""
        status: dict[str, Any] = json.loads(self.path.read_text())
        return status


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A new one."""
    return Kept(tmp_path / "status.json")


def test_it_is_there_from_the_start(kept: Kept) -> None:
    """A monitor need not wait for the first push."""
    status = kept.read()
    assert (status["target"], status["state"], status["pid"]) == ("shop", "starting", os.getpid())
    assert status["running"] is status["building"] is status["failure"] is None


def test_it_says_what_runs_and_of_what_it_was_made(kept: Kept) -> None:
    """Its commits, in full."""
    status = kept.told(fetched("start"), report("built"), report("running"))
    commits = [{"repository": "shop", "commit": COMMIT}]
    since = "2026-01-02T03:04:05.080000+00:00"
    assert status["running"] == {"version": VERSION, "since": since, "commits": commits}
    assert (status["state"], status["last_look_at"]) == ("running", since)


def test_it_says_what_went_wrong(kept: Kept) -> None:
    """Until it is made good."""
    status = kept.told(report("running"), failed("built", "a\udc80b", version=OTHER))
    assert status["state"] == "failed"
    assert status["running"]["version"] == VERSION
    assert status["failure"]["stage"] == "built"
    assert status["failure"]["message"] == "a?b"
    assert kept.told(report("built"))["failure"] is None


def test_it_says_that_a_build_takes_its_time(kept: Kept) -> None:
    """And of what is built."""
    kept.told(fetched("start"))
    lasting = Lasting("built", None, BEGAN)
    kept.standing.lasts(lasting)
    kept.file.lasts(lasting)
    status = kept.read()
    assert status["state"] == "building"
    assert status["building"]["commits"] == [{"repository": "shop", "commit": COMMIT}]


def test_looks_that_find_nothing_do_not_keep_the_disk_busy(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a while is noted; a change at once."""
    look = report("fetched", result="unchanged", is_news=False)
    later = report("fetched", result="unchanged", ended_at=BEGAN + timedelta(seconds=3))
    kept.told(fetched("start"))
    before = kept.path.stat().st_ino
    kept.told(look, later)
    assert kept.path.stat().st_ino == before
    monkeypatch.setattr(status_file, "LOOK_SECONDS", 0)
    assert kept.told(later)["last_look_at"] == later.ended_at.isoformat()


def test_a_directory_that_vanished_is_warned_of_once(
    kept: Kept, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And what is there again is written to again."""
    gone = Kept(tmp_path / "gone" / "status.json")
    for one in (report("running"), failed("built", "no")):
        gone.standing.ended(one)
        gone.file.ended(one)
    assert len(caplog.records) == 1
    gone.path.parent.mkdir()
    assert gone.told(report("built"))["state"] == "running"


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_not_replaced_by_one(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory with all that is in it, or /dev/null, stays."""
    path = tmp_path / "status"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with caplog.at_level(logging.WARNING):
        StatusFile(path, "shop", Standing())
    assert not path.is_file()
    assert "not a regular file" in caplog.records[0].__dict__["reason"]


def test_it_is_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    """A monitor is often another user."""
    before = os.umask(0o027)
    try:
        StatusFile(tmp_path / "status", "shop", Standing())
    finally:
        os.umask(before)
    assert (tmp_path / "status").stat().st_mode & 0o777 == 0o640


def test_a_clean_end_says_so(kept: Kept) -> None:
    """So that whoever finds no such process otherwise knows that it was killed."""
    kept.told(report("running"))
    kept.standing.close()
    kept.file.close()
    assert (kept.read()["state"], kept.read()["running"]) == ("stopped", None)
