"""
Brings the newest version of a target here and has it run: watch, download, verify, swap.

Every round is the same, whatever happened before: ask which version there is, get it if it is not
here, run it if it does not run. What fails is tried again; what runs goes on running meanwhile.
"""

import asyncio
import logging
import re
import shutil
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin

from cd4sources.backoff import Backoff, Outage
from cd4sources.http import Http, HttpError, shown
from cd4sources.installed import Installed, Record
from cd4sources.reporting import Post, Reporter, Result, Stage, StageReport, post_over_http
from cd4sources.settings import ClientSettings
from cd4sources.supervising import RolledBack, Supervisor, signal_named

WATCH_SECONDS = 50
"""How long a server may hold a question; below the usual minute of proxies."""

WATCH_GRACE_SECONDS = 10.0
"""An answer this much later does not come any more."""

FIRST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 5.0
"""Bounds of the pauses between rounds that fail."""

NOTHING_NEW = 204

logger = logging.getLogger(__name__)


class NoServer(HttpError):
    """No server answered as it should; the message has each one's reason."""


class Client:
    """
    Delivers one target to this machine.

    Args:
        settings: Where from, where to, and how to run it.
        repositories: The repositories that make up the target, `URL` or `URL=REPLACED`, in any
            order. User and password are left out of what servers are asked.
        ref: Of the first repository; tells targets apart that are made of the same repositories.
        post: How reports reach the hub. Default: over HTTP, at the settings' `hub`.

    Raises:
        ValueError: No repositories, or a stop signal that does not exist.
    """

    def __init__(
        self,
        settings: ClientSettings,
        repositories: Sequence[str],
        *,
        ref: str = "",
        post: Post | None = None,
    ) -> None:
        """Start nothing yet."""
        if not repositories:
            raise ValueError("name at least one repository: they say which target is meant")
        signal_named(settings.stop_signal)
        self._settings = settings
        self._post = post
        self._query = [("repo", _without_credentials(one)) for one in repositories]
        self._query += [("ref", ref)] if ref else []

    async def run(self, stopping: asyncio.Event) -> None:
        """
        Deliver until told to stop; then end the program gracefully and return.

        Args:
            stopping: Set it to stop.

        Raises:
            DataInUse: Another client uses the data directory.
        """
        installed = Installed(self._settings.data)
        with installed.opened():
            async with Http() as http, asyncio.TaskGroup() as tasks:
                hub = self._settings.hub
                over_http = post_over_http(http, hub) if hub else None
                reporter = Reporter(self._post or over_http)
                supervisor = Supervisor(self._settings, http, tasks)
                delivery = _Delivery(self._settings, http, installed, supervisor, reporter)
                reporting = tasks.create_task(reporter.run(), name="reports")
                delivering = tasks.create_task(delivery.run(self._query), name="delivery")
                try:
                    await stopping.wait()
                finally:
                    delivering.cancel()
                    await asyncio.wait({delivering})
                    await supervisor.stop()
                    reporting.cancel()


class _Delivery:
    """The rounds of a client, and what they remember."""

    def __init__(
        self,
        settings: ClientSettings,
        http: Http,
        installed: Installed,
        supervisor: Supervisor,
        reporter: Reporter,
    ) -> None:
        self._settings = settings
        self._http = http
        self._installed = installed
        self._supervisor = supervisor
        self._reporter = reporter
        self._servers = deque(server.rstrip("/") for server in settings.servers)
        self._seen = ""
        self._failed_download = ""

    async def run(self, query: list[tuple[str, str]]) -> NoReturn:
        """Deliver round after round what the query names; cancel to end."""
        outage = Outage("server", Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS))
        while True:
            # The second step is a no-op while something runs.
            reasons = [await _attempt(lambda: self._look(query)), await _attempt(self._fall_back)]
            reason = "; ".join(filter(None, reasons))
            if reason:
                await asyncio.sleep(outage.failed(reason))
            else:
                outage.over()

    async def _look(self, query: list[tuple[str, str]]) -> None:
        """Ask for a version other than the last one seen, and see to it that it runs."""
        record = await self._watch(query)
        if record and record.version == self._seen:
            raise NoServer(f"{shown(self._servers[0])} answers with {self._seen}, which is not new")
        if record:
            await self._deliver(record)
            self._seen = record.version

    async def _watch(self, query: list[tuple[str, str]]) -> Record | None:
        """Ask the servers, beginning with the one that answered last."""
        failures: list[str] = []
        for _ in range(len(self._servers)):
            try:
                return await self._ask(self._servers[0], query)
            except HttpError as error:
                failures.append(str(error))
                self._servers.rotate(-1)
        raise NoServer("; ".join(failures))

    async def _ask(self, server: str, query: list[tuple[str, str]]) -> Record | None:
        # With a version at hand and nothing running, waiting for a newer one can wait.
        idle = self._supervisor.version is None and self._installed.current() is not None
        timeout = 0 if idle else WATCH_SECONDS
        known = [("version", self._seen)] if self._seen else []
        reply = await self._http.get_json(
            f"{server}/watch",
            [*query, *known, ("timeout", str(timeout))],
            timeout_seconds=timeout + WATCH_GRACE_SECONDS,
        )
        if reply.status == NOTHING_NEW:
            return None
        record = reply.read(Record)
        url = urljoin(f"{server}/", record.artifact.url)
        return record.model_copy(
            update={"artifact": record.artifact.model_copy(update={"url": url})}
        )

    async def _deliver(self, record: Record) -> None:
        if record.version == self._supervisor.version:
            self._installed.set_current(record.version)  # the disk may have been full before
            return
        reason = self._installed.quarantined(record.version)
        if reason is not None:
            keys = {"version": record.version, "reason": reason}
            logger.warning("version is quarantined, not starting it", extra=keys)
            return
        path = await asyncio.to_thread(self._installed.path, record)
        await self._swap(record, path or await self._download(record))

    async def _download(self, record: Record) -> Path:
        started_at = datetime.now(UTC)
        incoming = self._installed.incoming()
        artifact = record.artifact
        try:
            await self._http.download(
                artifact.url, incoming / artifact.name, size=artifact.size, sha256=artifact.sha256
            )
            path = await asyncio.to_thread(self._installed.install, record, incoming)
        except HttpError as error:
            self._download_failed(record, started_at, str(error))
            raise
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        self._report(record, "downloaded", "ok", started_at)
        keys = {"version": record.version, "bytes": artifact.size, "url": shown(artifact.url)}
        logger.info("version downloaded", extra=keys)
        return path

    def _download_failed(self, record: Record, started_at: datetime, reason: str) -> None:
        self._servers.rotate(-1)  # another server may have the right bytes
        if self._failed_download != record.version:
            self._failed_download = record.version
            self._report(record, "downloaded", "failed", started_at, reason)

    async def _swap(self, record: Record, path: Path) -> None:
        """Have a version run; quarantine it when it cannot, unless it once could."""
        started_at = datetime.now(UTC)
        try:
            await self._supervisor.swap(
                record.version, path, lambda: self._is_running(record, started_at)
            )
        except RolledBack as error:
            result: Result = "rolled_back" if error.kept else "failed"
            self._report(record, "running", result, started_at, str(error))
            self._judge(record, error)

    def _is_running(self, record: Record, started_at: datetime) -> None:
        self._report(record, "running", "ok", started_at)
        logger.info("version running", extra={"version": record.version})
        self._installed.set_current(record.version)

    def _judge(self, record: Record, error: RolledBack) -> None:
        """
        Quarantine a version that did not become healthy.

        One that has been healthy here before is not to blame (a full disk, a database that is
        away): with nothing better at hand it is tried again.
        """
        current = self._installed.current()
        if current and current.version == record.version:
            raise error
        self._installed.quarantine(record.version, error.reason)
        keys = {"version": record.version, "reason": error.reason}
        logger.error("version rolled back and quarantined", extra=keys)

    async def _fall_back(self) -> None:
        """Start the last version that was healthy when nothing else runs."""
        current = self._installed.current()
        if current is None or self._supervisor.version is not None:
            return
        logger.warning("falling back to the last version", extra={"version": current.version})
        path = await asyncio.to_thread(self._installed.path, current)
        if path is None:
            raise OSError(f"the last version {current.version} is damaged on disk")
        await self._swap(current, path)

    def _report(
        self,
        record: Record,
        stage: Stage,
        result: Result,
        started_at: datetime,
        message: str = "",
    ) -> None:
        self._reporter.report(
            StageReport(
                target=self._settings.target or record.target,
                version=record.version,
                stage=stage,
                result=result,
                started_at=started_at,
                ended_at=datetime.now(UTC),
                traceparent=record.traceparent,
                message=message,
                reporter=f"client@{socket.gethostname()}",
            )
        )


async def _attempt(step: Callable[[], Awaitable[None]]) -> str:
    """Do one step of a round; return why it failed, empty when it did not."""
    try:
        await step()
    except (HttpError, RolledBack, OSError) as error:
        return str(error) or type(error).__name__
    except Exception as error:
        # Whatever it is, what runs goes on running and the next round tries again.
        logger.exception("round failed")
        return type(error).__name__
    return ""


def _without_credentials(repository: str) -> str:
    return re.sub(r"//[^/]*@", "//", repository)
