"""Questions to a server's API under /v1, one a connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import quote

from directcd.cli.servers import Server, failures


def get(server: Server, *path: str, **query: str) -> Any:
    """The answer to a GET of /v1/PATH; a "no" ends the command."""
    return _answer(server, path, query, None)


def post(server: Server, *path: str, **body: str) -> Any:
    """The answer to a POST; a "no" ends the command."""
    return _answer(server, path, {}, body)


def copy(server: Server, *path: str, write: Callable[[bytes], None], **query: str) -> None:
    """Pass a long answer on as it comes; a "no" ends the command."""
    with failures():
        asyncio.run(_copy(server, _url(server, path), query, write))


def _answer(server: Server, path: Sequence[str], query: dict[str, str], body: object) -> Any:
    with failures():
        return json.loads(asyncio.run(_exchange(server, _url(server, path), query, body)))


async def _exchange(server: Server, url: str, query: dict[str, str], body: object) -> bytes:
    from cd4sources.http import Http

    async with Http() as http:
        if body is None:
            return (await http.get_json(url, tuple(query.items()), token=server.token)).body
        return (await http.post_json(url, body, token=server.token)).body


async def _copy(
    server: Server, url: str, query: dict[str, str], write: Callable[[bytes], None]
) -> None:
    from cd4sources.http import Http

    async with Http() as http:
        params = tuple(query.items())
        pieces: AsyncIterator[bytes] = http.pieces(
            url, params, silence_seconds=None, token=server.token
        )
        async for piece in pieces:
            write(piece)


def _url(server: Server, path: Sequence[str]) -> str:
    return "/".join([server.address, "v1", *(quote(part, safe="") for part in path)])
