"""Questions to the API of a server or a hub under /v1, one a connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote

import click
from pydantic import BaseModel

from directcd.cli.servers import Server, failures
from directcd.terminal import line

if TYPE_CHECKING:
    from cd4sources.http import Reply

Model = TypeVar("Model", bound=BaseModel)


class Done(BaseModel):
    """An answer of which nothing is used."""


@dataclass(frozen=True)
class Answer(Generic[Model]):
    """What a server said; `json` is all of it, in ASCII."""

    value: Model
    json: str


def get(server: Server, model: type[Model], *path: str, **query: str) -> Answer[Model]:
    """The answer to a GET of /v1/PATH; a "no", or an answer of another form, ends the command."""
    return _answer(server, model, path, query, None)


def post(server: Server, model: type[Model], *path: str, **body: object) -> Answer[Model]:
    """The answer to a POST; a "no", or an answer of another form, ends the command."""
    return _answer(server, model, path, {}, body)


def delete(server: Server, *path: str) -> None:
    """DELETE what is at /v1/PATH; a "no" ends the command."""
    with failures(server.option):
        asyncio.run(_delete(server, _url(server, path)))


def ascii_json(reply: "Reply") -> str:
    """
    An answer's JSON, in which no character does anything to a terminal.

    Raises:
        BadAnswer: It is none.
    """
    from cd4sources.http import BadAnswer, shown

    try:
        return json.dumps(json.loads(reply.body))
    except ValueError as error:
        raise BadAnswer(f"{shown(reply.url)}: the answer is not JSON: {error}") from error


def warn_of_newer(reason: str) -> None:
    """Tell on stderr why what is offered is not the newest."""
    click.echo(line(f"the newest commits are not offered: {reason}"), err=True)


def copy(server: Server, *path: str, write: Callable[[bytes], None], **query: str) -> None:
    """Pass a long answer on as it comes; a "no" ends the command."""
    with failures(server.option):
        asyncio.run(_copy(server, _url(server, path), query, write))


def _answer(
    server: Server, model: type[Model], path: Sequence[str], query: dict[str, str], body: object
) -> Answer[Model]:
    with failures(server.option):
        reply = asyncio.run(_exchange(server, _url(server, path), query, body))
        return Answer(reply.read(model), ascii_json(reply))


async def _exchange(server: Server, url: str, query: dict[str, str], body: object) -> "Reply":
    from cd4sources.http import Http

    async with Http() as http:
        if body is None:
            return await http.get_json(url, tuple(query.items()), token=server.token)
        return await http.post_json(url, body, token=server.token)


async def _delete(server: Server, url: str) -> None:
    from cd4sources.http import Http

    async with Http() as http:
        await http.delete(url, token=server.token)


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
