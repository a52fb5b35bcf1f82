"""All that a command needs to see to webhooks, opened and closed: forges, hub, secrets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from cd4sources.http import Http, HttpError
from directcd.doctor.findings import Finding, ok
from directcd.doctor.forges import would_call
from directcd.hooks import outcomes
from directcd.hooks.choosing import Chosen
from directcd.hooks.outcomes import Outcome
from directcd.hooks.proving import Prover
from directcd.hooks.reasons import Reasons
from directcd.hooks.registering import Desk
from directcd.hooks.witness import Witness
from hub.forges.base import Forge
from hub.forges.errors import ForgeError
from hub.forges.opening import forge_of
from hub.settings import HubSettings

Work = Callable[[Desk], Awaitable[Sequence[Outcome]]]


@dataclass(frozen=True)
class Means:
    """
    What a command was given.

    Attributes:
        hub: settings of the file.
        hub_url: where the hub is asked.
        hub_token: for it; "" for none.
        forge_token: for the forge; "": each source's own.
        wait_seconds: how long a proof may take.
        is_dry: whether all is only said.
    """

    hub: HubSettings
    hub_url: str
    hub_token: str = field(default="", repr=False)
    forge_token: str = field(default="", repr=False)
    wait_seconds: float = 20.0
    is_dry: bool = False


@dataclass(frozen=True)
class Office:
    """A desk for each place, and what the hub's address lets one fear of each source."""

    desks: list[Desk]
    doubts: dict[str, Finding]

    async def each(self, work: Work) -> list[Outcome]:
        """Do something at every desk, one after the other; what fails at one stops no other."""
        found: list[Outcome] = []
        for desk in self.desks:
            try:
                found += await work(desk)
            except ForgeError as error:
                found.append(failed(desk, error))
        return found


def failed(desk: Desk, error: ForgeError) -> Outcome:
    """What came of a place whose forge said no."""
    trouble = outcomes.of_forge(error, desk.forge.provider, desk.chosen.place)
    return desk.outcome(trouble=trouble)


@asynccontextmanager
async def opened(
    means: Means, places: Iterable[Chosen], secret_of: Callable[[str], str]
) -> AsyncIterator[Office]:
    """
    An office for some places.

    Args:
        means: what the command was given.
        places: where something is to be done.
        secret_of: what the webhooks of a source sign with; "" where that does not matter.

    Raises:
        ForgeError: we speak no API of a source's forge.
    """
    places = list(places)
    names = list(dict.fromkeys(one.source for one in places))
    forges = {name: forge_of(name, means.hub.sources[name], means.forge_token) for name in names}
    try:
        async with Http() as http:
            witness = Witness(http, means.hub_url, means.hub_token)
            found = await asyncio.gather(*(_doubt(means.hub, name, witness) for name in names))
            doubts = dict(zip(names, found, strict=True))
            desks = [
                _desk(means, one, forges[one.source], (witness, doubts[one.source]), secret_of)
                for one in places
            ]
            yield Office(desks, doubts)
    finally:
        for forge in forges.values():
            await forge.close()


async def _doubt(hub: HubSettings, name: str, witness: Witness) -> Finding:
    """Whether the forge may refuse to call the hub: who has called is no doubt."""
    with suppress(HttpError):
        source = await witness.source(name)
        if source and source.has_called:
            return ok("the forge has called it", "hub.public_url")
    return await would_call(hub, name)


def _desk(
    means: Means,
    chosen: Chosen,
    forge: Forge,
    known: tuple[Witness, Finding],
    secret_of: Callable[[str], str],
) -> Desk:
    witness, doubt = known
    reasons = Reasons(chosen, forge, witness, doubt)
    prover = Prover(chosen, forge, witness, reasons, means.wait_seconds)
    return Desk(chosen, forge, secret_of(chosen.source), prover, means.is_dry)
