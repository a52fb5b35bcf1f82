"""
How a pull stands as a JSON file, for monitors and scripts that look when they like.

Replaced as a whole, so that nobody reads the half of it. Keys: `target`, `state` (`starting`,
`building`, `running`, `failed`, `stopped`), `running` (null, or `version`, `since` and `commits`),
`building` (null, or `since` and `commits`), `last_look_at`, `failure` (null, or `stage`, `message`,
`at` and `version`), `caught_by_poll`, `updated_at`, `pid`.
"""

import errno
import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from cd4sources import disk
from cd4sources.reporting import StageReport
from cd4sources.stages import Failure
from directcd.pull.events import commits_document, well_formed
from directcd.pull.standing import Building, Lasting, Running, Standing

LOOK_SECONDS = 10.0
"""A look that finds nothing new is noted no more often: a disk need not turn for it."""

logger = logging.getLogger(__name__)


class StatusFile:
    """
    Keeps the file up to date.

    Args:
        path: Where.
        target: The target's name.
        standing: How it stands; it was told of a report already.
    """

    def __init__(self, path: Path, target: str, standing: Standing) -> None:
        """Say that it begins."""
        self._path = path
        self._target = target
        self._standing = standing
        self._written: dict[str, object] = {}
        self._written_at = 0.0
        self._is_failing = False
        self._update()

    def lasts(self, lasting: Lasting) -> None:  # noqa: ARG002 -- it stands there
        """Note a stage that takes its time."""
        self._update()

    def ended(self, report: StageReport) -> None:  # noqa: ARG002 -- likewise
        """Note how a stage ended."""
        self._update()

    def close(self) -> None:
        """Say that it has ended."""
        self._update()

    def _update(self) -> None:
        """Write what differs; that somebody has looked does so only after a while."""
        status = status_document(self._target, self._standing)
        is_due = time.monotonic() - self._written_at >= LOOK_SECONDS
        look = {} if is_due else {"last_look_at": self._written.get("last_look_at")}
        if status | look != self._written:
            self._write(status)

    def _write(self, status: dict[str, object]) -> None:
        own = {"updated_at": datetime.now(UTC).isoformat(), "pid": os.getpid()}
        try:
            self._refuse_others()
            disk.write(self._path, json.dumps(status | own, indent=2) + "\n")
        except OSError as error:
            self._warn(error)
            return
        self._written, self._written_at, self._is_failing = status, time.monotonic(), False

    def _refuse_others(self) -> None:
        """What is no file, such as a directory or /dev/null, must not be replaced by one."""
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "not a regular file; give --status-file another name")

    def _warn(self, error: OSError) -> None:
        if not self._is_failing:
            keys = {"file": str(self._path), "reason": error.strerror or str(error)}
            logger.warning("status file cannot be written, going on without it", extra=keys)
        self._is_failing = True


def status_document(target: str, standing: Standing) -> dict[str, object]:
    """How it stands, see above, without what changes at every writing."""
    look = standing.last_look_at
    return {
        "target": target,
        "state": standing.state,
        "running": _running(standing.running),
        "building": _building(standing.building),
        "last_look_at": look.isoformat() if look else None,
        "failure": _failure(standing.failure),
        "caught_by_poll": standing.caught_by_poll,
    }


def _running(running: Running | None) -> dict[str, object] | None:
    if running is None:
        return None
    return {
        "version": running.version,
        "since": running.since.isoformat(),
        "commits": commits_document(running.commits),
    }


def _building(building: Building | None) -> dict[str, object] | None:
    if building is None:
        return None
    since, commits = building.since.isoformat(), commits_document(building.commits)
    return {"since": since, "commits": commits}


def _failure(failure: Failure | None) -> dict[str, object] | None:
    if failure is None:
        return None
    return {
        "stage": failure.stage,
        "message": well_formed(failure.message),
        "at": failure.at.isoformat(),
        "version": failure.version,
    }
