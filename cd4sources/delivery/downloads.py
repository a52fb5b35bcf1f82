"""Artifacts on their way from servers to this disk."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from cd4sources.delivery.installed import Installed
from cd4sources.delivery.judging import Judge
from cd4sources.delivery.obtaining import Obtaining
from cd4sources.delivery.records import Delivered, Record
from cd4sources.disk import FULL
from cd4sources.http import Http, shown
from cd4sources.token_files import read_token

logger = logging.getLogger(__name__)


class Downloads(Obtaining):
    """
    Gets artifacts from servers onto this disk.

    Args:
        http: The connections to use.
        installed: Where they go.
        judge: Who reports it.
        check: Raises HttpError for a version that is not to be taken.
        token_files: Where the token for each server is. Another one, which only what is on disk
            from an earlier life names, gets none.
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
        super().__init__(installed, judge, check)
        self._http = http
        self._token_files = token_files

    async def _bring(self, record: Delivered) -> Path:
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
        keys = {"version": record.version, "bytes": artifact.size, "url": shown(artifact.url)}
        logger.info("version downloaded", extra=keys)
        return path
