"""Artifacts on their way from servers to this disk."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.records import Delivered, Record
from cd4sources.delivery.trust import read_token
from cd4sources.disk import FULL
from cd4sources.http import Http, HttpError, shown

logger = logging.getLogger(__name__)


class Downloads:
    """
    Gets artifacts from servers onto this disk.

    Args:
        http: The connections to use.
        installed: Where they go.
        judge: Who reports it.
        check: Raises HttpError for a version that is not to be taken.
        token_files: Where the token for each server is. Another one, which only what is on disk
            from an earlier life names, gets none.

    Attributes:
        check: The same, for those that are here already.
    """

    def __init__(
        self,
        http: Http,
        installed: Installed,
        judge: Judge,
        *,
        check: Callable[[Record], None],
        token_files: Mapping[str, Path | None],
    ) -> None:
        """Get nothing yet."""
        self._http = http
        self._installed = installed
        self._judge = judge
        self.check = check
        self._token_files = token_files

    async def has(self, record: Delivered) -> bool:
        """Tell whether a version is here whole."""
        return await asyncio.to_thread(self._installed.path, record) is not None

    async def get(self, record: Delivered) -> Path:
        """
        Return a version's executable, downloaded unless it is here whole.

        Raises:
            HttpError: It is not to be taken, or cannot be had now.
            OSError: The disk does not take it.
        """
        started_at = datetime.now(UTC)
        self._judge.begins(record, "downloaded")
        try:
            self.check(record)
            path = await asyncio.to_thread(self._installed.path, record)
            return path or await self._download(record, started_at)
        except (HttpError, OSError) as error:
            self._judge.report(
                record, "downloaded", "failed", started_at, self._installed.told(error)
            )
            raise

    async def _download(self, record: Delivered, started_at: datetime) -> Path:
        artifact = record.artifact
        token = read_token(self._token_files.get(record.server))
        size, sha256 = artifact.size, artifact.sha256
        part = await asyncio.to_thread(self._installed.incoming, record)
        try:
            await self._http.download(artifact.url, part, size=size, sha256=sha256, token=token)
            path = await asyncio.to_thread(self._installed.install, record, part)
        except OSError as error:
            if error.errno in FULL:  # the program needs what room is left
                self._installed.give_up(record)
            raise
        self._judge.report(record, "downloaded", "ok", started_at)
        keys = {"version": record.version, "bytes": artifact.size, "url": shown(artifact.url)}
        logger.info("version downloaded", extra=keys)
        return path
