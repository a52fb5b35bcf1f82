"""What the commands share that ask a cd4sources server: address, token, and every "no"."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

F = TypeVar("F", bound=Callable[..., Any])

_UNAUTHORISED = frozenset({401, 403})


class OutOfReach(click.ClickException):
    """The server does not answer."""

    exit_code = 7


class NotAllowed(click.ClickException):
    """The server wants a token, or another one."""

    exit_code = 4


class Api:
    """A server's API, one question at a time."""

    def __init__(self, server: str, token_file: Path | None) -> None:
        """Keep where it is, and read the token."""
        self._server = server.rstrip("/")
        self._token = token_file.read_text(encoding="utf-8").strip() if token_file else ""

    def get(self, *path: str, **query: str) -> Any:
        """The answer to a GET."""
        return self._answer(path, query, None)

    def post(self, *path: str, **body: str) -> Any:
        """The answer to a POST."""
        return self._answer(path, {}, body)

    def copy(self, *path: str, write: Callable[[bytes], None], **query: str) -> None:
        """Pass a long answer on as it comes."""
        with failures():
            asyncio.run(self._copy(self._url(path), query, write))

    def _answer(self, path: Sequence[str], query: dict[str, str], body: object) -> Any:
        with failures():
            return json.loads(asyncio.run(self._exchange(self._url(path), query, body)))

    async def _exchange(self, url: str, query: dict[str, str], body: object) -> bytes:
        from cd4sources.http import Http

        async with Http() as http:
            if body is None:
                return (await http.get_json(url, tuple(query.items()), token=self._token)).body
            return (await http.post_json(url, body, token=self._token)).body

    async def _copy(self, url: str, query: dict[str, str], write: Callable[[bytes], None]) -> None:
        from cd4sources.http import Http

        async with Http() as http:
            params = tuple(query.items())
            pieces: AsyncIterator[bytes] = http.pieces(
                url, params, silence_seconds=None, token=self._token
            )
            async for piece in pieces:
                write(piece)

    def _url(self, path: Sequence[str]) -> str:
        return "/".join([self._server, "v1", *(quote(part, safe="") for part in path)])


@contextmanager
def failures() -> Iterator[None]:
    """End the command with one sentence and the agreed exit code when the server says no."""
    from cd4sources.http import BadStatus, HttpError, Unreachable

    try:
        yield
    except Unreachable as error:
        raise OutOfReach(str(error)) from error
    except BadStatus as error:
        refused = error.status in _UNAUTHORISED
        raise (NotAllowed if refused else click.ClickException)(str(error)) from error
    except HttpError as error:
        raise click.ClickException(str(error)) from error


def api(function: F) -> F:
    """`--server URL` and `--token-file FILE`: what an `Api` is made of."""
    file = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)
    token_file = click.option(
        "--token-file",
        type=file,
        envvar="DIRECTCD_TOKEN_FILE",
        show_envvar=True,
        help="Holds the bearer token, when the server wants one.",
    )
    address = click.option(
        "--server",
        default="http://127.0.0.1:8081",
        show_default=True,
        help="The cd4sources server.",
    )
    return address(token_file(function))


def as_json(function: F) -> F:
    """`--json`: data instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def moment(time: str) -> str:
    """A time of the API for people: UTC, to the second."""
    return time[:19].replace("T", " ") + "Z"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
