"""
Sending an open file.

The file is opened before the answer begins: its size has been compared by then, and a version that
is removed meanwhile still arrives whole. Reading happens in threads, for a disk may be slow; nobody
takes more memory than a piece, however slowly they read.
"""

import asyncio
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fastapi import Response
from starlette.types import Receive, Scope, Send

from cd4sources.disk import plainly

PIECE_BYTES = 64 * 1024


def opened(path: Path, size: int | None = None) -> BinaryIO | None:
    """The file, if it is one, of this size if any; a link or a pipe in its place is none."""
    with suppress(OSError):
        file = open(path, "rb", buffering=0, opener=plainly)  # noqa: SIM115 - the answer closes it
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode) and size in {None, found.st_size}:
            return file
        file.close()
    return None


class FileResponse(Response):
    """Some bytes of an open file, which is closed when they are sent or nobody takes them."""

    def __init__(
        self, file: BinaryIO, part: range, *, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(
            status_code=status,
            headers={**headers, "Content-Length": str(len(part))},
            media_type="application/octet-stream",
        )
        self._file = file
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; to HEAD only the headers."""
        start = {"type": "http.response.start", "status": self.status_code}
        gone = asyncio.create_task(_gone(receive), name="download's end")
        try:
            await send({**start, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._send_body(send, gone)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._file.close()

    async def _send_body(self, send: Send, gone: "asyncio.Task[None]") -> None:
        at = self._part.start
        while at < self._part.stop and not gone.done():
            length = min(PIECE_BYTES, self._part.stop - at)
            piece = await asyncio.to_thread(os.pread, self._file.fileno(), length, at)
            if not piece:
                raise OSError("the file was cut off while it was sent")
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            at += len(piece)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
