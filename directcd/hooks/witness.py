"""The hub as a witness: what has come to it from one source since a moment, by its own telling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel

from cd4sources.http import Http
from directcd.doctor.hubs import Refusal
from directcd.why import Listed, Whole

Model = TypeVar("Model", bound=BaseModel)

_MOST = "500"
_NEVER = datetime.fromtimestamp(0, UTC)


class Secret(BaseModel):
    """One place of a source's secrets, the current one first."""

    place: str
    current: bool
    readable: bool
    last_used_at: datetime | None = None


class Source(BaseModel):
    """A source as the hub knows it now."""

    name: str
    secrets: tuple[Secret, ...] = ()

    @property
    def current(self) -> str:
        """Where its current secret is written; "" when it takes unsigned deliveries."""
        return next((one.place for one in self.secrets if one.current), "")

    @property
    def has_called(self) -> bool:
        """Whether a delivery of its forge has ever come."""
        return any(one.last_used_at for one in self.secrets)

    @property
    def unreadable(self) -> list[str]:
        """The places that the hub cannot read."""
        return [one.place for one in self.secrets if not one.readable]


@dataclass(frozen=True)
class Moment:
    """The newest delivery's number and the newest refusal's time, by the hub's own counting."""

    delivery: int
    refused_at: datetime


class _Deliveries(BaseModel):
    deliveries: tuple[Listed, ...]


class _Refusals(BaseModel):
    refusals: tuple[Refusal, ...]


class _Sources(BaseModel):
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Witness:
    """A hub to ask. Every question may raise HttpError: it does not say."""

    http: Http
    url: str
    token: str = field(default="", repr=False)

    async def now(self, source: str) -> Moment:
        """What is newest."""
        [*newest] = (await self._deliveries(source, "1"))[:1]
        refused = [one.last_at for one in await self._refusals(source)]
        number = newest[0].number if newest else 0
        return Moment(number, max(refused, default=_NEVER))

    async def deliveries(self, source: str, since: Moment | None = None) -> list[Listed]:
        """What it has taken, newest first."""
        after = since.delivery if since else 0
        return [one for one in await self._deliveries(source, _MOST) if one.number > after]

    async def refusals(self, source: str, since: Moment) -> list[Refusal]:
        """What it has refused, newest first."""
        return [one for one in await self._refusals(source) if one.last_at > since.refused_at]

    async def headers(self, number: int) -> Mapping[str, str]:
        """Those of a delivery."""
        return dict((await self._get(Whole, f"deliveries/{number}")).headers)

    async def source(self, name: str) -> Source | None:
        """What it knows of a source; None: it has none of that name."""
        found = (await self._get(_Sources, "sources")).sources
        return next((one for one in found if one.name == name), None)

    async def _deliveries(self, source: str, limit: str) -> tuple[Listed, ...]:
        return (await self._get(_Deliveries, "deliveries", source=source, limit=limit)).deliveries

    async def _refusals(self, source: str) -> list[Refusal]:
        found = (await self._get(_Refusals, "refusals", limit=_MOST)).refusals
        return [one for one in found if one.source == source]

    async def _get(self, model: type[Model], path: str, **query: str) -> Model:
        params = tuple(query.items())
        reply = await self.http.get_json(f"{self.url}/v1/{path}", params, token=self.token)
        return reply.read(model)
