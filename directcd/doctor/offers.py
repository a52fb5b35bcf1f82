"""Servers that this file names: do they let it in, and do they have what its client runs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from cd4sources.client import query_of
from cd4sources.http import BadStatus, Http, HttpError, shown
from cd4sources.targets import TargetError
from cd4sources.token_files import read_token
from directcd.config import Config
from directcd.doctor.findings import Finding, ok, problem
from directcd.doctor.services import ANSWER_SECONDS
from directcd.errors import ConfigError
from directcd.parts import client_target

_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True)
class Question:
    """
    What a hub or a client asks of a server every day.

    Attributes:
        where: the key that names the server.
        url: the server's.
        path: what it is asked for.
        query: of which target; none when it is about all.
        token_file: with which token.
        token_where: the key of that.
    """

    where: str
    url: str
    path: str
    query: Sequence[tuple[str, str]]
    token_file: Path | None
    token_where: str


def questions(config: Config) -> Iterator[Question]:
    """What the hub and the client of this file ask."""
    for name, known in (config.hub.servers if config.hub else {}).items():
        key = f"hub.servers.{name}"
        token_where = f"{key}.token_file"
        yield Question(f"{key}.url", known.url, "/v1/targets", (), known.token_file, token_where)
    if config.client:
        # That it is not clear which target is meant is another check's finding.
        with suppress(ConfigError, TargetError):
            target = client_target(config, config.client.target)
            named = query_of([one.url for one in target.repositories], target.repositories[0].ref)
            query = [*named, ("timeout", "0")]
            for number, url in enumerate(config.client.servers):
                where, file = f"client.servers[{number}]", config.client.token_file
                yield Question(where, url, "/watch", query, file, "client.token_file")


async def check(http: Http, asked: Question) -> list[Finding]:
    """What a server answers; nothing when it is away, which is another check's finding."""
    try:
        token = read_token(asked.token_file)
        await http.get_json(
            f"{asked.url}{asked.path}", asked.query, timeout_seconds=ANSWER_SECONDS, token=token
        )
    except BadStatus as error:
        return _refused(asked, error)
    except HttpError:
        return []
    has = "has what the client runs" if asked.query else "lets the hub look at its builds"
    return [ok(f"{shown(asked.url)} {has}", asked.where)]


def _refused(asked: Question, error: BadStatus) -> list[Finding]:
    said, step = f"{shown(asked.url)}: {error.problem.detail}", error.problem.next
    if error.status in _REFUSED:
        return [problem(said, asked.token_where, step)]
    if error.problem.code in {"unknown-target", "ambiguous-target"}:
        return [problem(said, asked.where, step)]
    return []  # it stops, or is no server of ours: told elsewhere
