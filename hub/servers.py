"""
The cd4sources servers that the hub may ask what they build: those of its configuration, no others.

Their addresses are the operator's own, so that no report and no stranger decides where a hub goes.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from hub.endpoints import Endpoint
from hub.http import NoAnswer, Poster
from hub.settings import ServerSettings

T = TypeVar("T")

PATIENCE_SECONDS = 3.0
MOST_BYTES = 2 * 1024 * 1024  # of a list
MOST_LOG_BYTES = 256 * 1024  # of its end: there it says what is wrong
OK, PARTIAL, NOT_FOUND = 200, 206, 404


class ServerAway(Exception):
    """A server did not answer, or said no; the message says why, and what to do."""


class NotKept(ServerAway):
    """It answered that it does not know such a build or target (any more)."""


class Commit(msgspec.Struct, frozen=True):
    """One repository of a build."""

    commit: str


class Build(msgspec.Struct, frozen=True):
    """What a server tells of a build, as far as it is shown."""

    id: str
    target: str
    version: str
    state: str
    started_at: datetime
    reason: str = ""
    message: str = ""
    repositories: tuple[Commit, ...] = ()

    @property
    def commit(self) -> str:
        """Of its first repository, "" when none was told."""
        return self.repositories[0].commit if self.repositories else ""


@dataclass(frozen=True)
class ServerState:
    """How a server is: `ready`, `degraded` or `away`, and why."""

    name: str
    state: str
    reason: str


class _Ready(msgspec.Struct, frozen=True):
    status: str
    reason: str = ""


class _Builds(msgspec.Struct, frozen=True):
    builds: list[Build]


_BUILD = msgspec.json.Decoder(Build)
_BUILDS = msgspec.json.Decoder(_Builds)
_READY = msgspec.json.Decoder(_Ready)


@dataclass(frozen=True)
class BuildLog:
    """What a build printed; when it is cut, its end."""

    text: str
    is_cut: bool


class Servers:
    """The servers of one hub, by name."""

    def __init__(self, settings: Mapping[str, ServerSettings]) -> None:
        self._settings = settings
        self._poster = Poster(lambda _: "")

    @property
    def names(self) -> tuple[str, ...]:
        """Theirs, in the order of the configuration."""
        return tuple(self._settings)

    async def builds(self, name: str, target: str, limit: int) -> list[Build]:
        """
        The newest builds of a server, of one target or of all ("").

        Raises:
            ServerAway: it does not tell.
        """
        query = {"limit": str(limit)} | ({"target": target} if target else {})
        return (await self._asked(name, f"/v1/builds?{urlencode(query)}", _BUILDS)).builds

    async def build(self, name: str, build: str) -> Build:
        """One build. Raises ServerAway."""
        return await self._asked(name, f"/v1/builds/{build}", _BUILD)

    async def log(self, name: str, build: str) -> BuildLog:
        """What a build has printed, or the end of it. Raises ServerAway."""
        most = MOST_LOG_BYTES + 1  # one more tells whether there are more
        end = {"range": f"bytes=-{most}"}
        body = await self._get(name, f"/v1/builds/{build}/log", most, end)
        is_cut = len(body) == most
        if is_cut:
            body = body[body.find(b"\n") + 1 :]  # not half a line
        return BuildLog(body.decode("utf-8", "replace"), is_cut)

    async def states(self) -> list[ServerState]:
        """How each of them says it is, asked side by side."""
        return await asyncio.gather(*map(self._state, self._settings))

    async def _state(self, name: str) -> ServerState:
        try:
            told = await self._asked(name, "/readyz", _READY)
        except ServerAway as error:
            return ServerState(name, "away", str(error))
        return ServerState(name, "ready" if told.status == "ok" else "degraded", told.reason)

    async def close(self) -> None:
        """Close every connection."""
        await self._poster.close()

    async def _asked(self, name: str, path: str, form: msgspec.json.Decoder[T]) -> T:
        body = await self._get(name, path, MOST_BYTES)
        try:
            return form.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            told = f"{name} answers in another form: is its url that of a server, of this version?"
            raise ServerAway(told) from error

    async def _get(
        self, name: str, path: str, most: int, headers: Mapping[str, str] = MappingProxyType({})
    ) -> bytes:
        one = self._settings[name]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                endpoint = Endpoint.parse(one.url + path)
                token = await asyncio.to_thread(_token, one)
                answer = await self._poster.get(endpoint, {**headers, **token}, most)
        except NoAnswer as error:
            raise ServerAway(f"{name} ({one.url}) does not answer: {error}") from error
        except TimeoutError as error:
            told = f"{name} ({one.url}) has not answered for {PATIENCE_SECONDS:.0f} s"
            raise ServerAway(told) from error
        except OSError as error:
            raise ServerAway(f"token_file of hub.servers.{name}: {error.strerror}") from error
        if answer.status == NOT_FOUND:
            raise NotKept(f"{name} does not know it (any more)")
        if answer.status not in {OK, PARTIAL}:
            raise ServerAway(_said_no(name, answer.status))
        return answer.body


def _token(one: ServerSettings) -> dict[str, str]:
    token = one.token_file.read_text().strip() if one.token_file else one.token.get_secret_value()
    return {"authorization": f"Bearer {token}"} if token else {}


def _said_no(name: str, status: int) -> str:
    if status in {401, 403}:
        return f"{name} wants a token: set token_file in [hub.servers.{name}]"
    return f"{name} answered {status}"
