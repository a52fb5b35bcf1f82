"""Do the forges have webhooks that call this hub? Asked with the token that a source names."""

from collections.abc import AsyncIterator, Sequence

from directcd.config import Config
from directcd.doctor.findings import Finding, ok, problem, warning
from directcd.errors import ConfigError
from directcd.hooks.choosing import Chosen, of_targets
from directcd.hooks.judging import Judged, judged
from hub.forges.base import Forge
from hub.forges.errors import ForgeError, ForgeRefused
from hub.forges.opening import SPOKEN, forge_of, web_url
from hub.forges.values import Place
from hub.settings import HubSettings

UNAUTHORISED = 401
MOST_PLACES = 20  # of a source: this is an examination, and no inventory


def unasked(hub: HubSettings) -> list[Finding]:
    """Sources with a token for a forge whose address nobody has given."""
    return [
        warning(
            f"source {name} has a token, and nobody has said for which forge",
            f"hub.sources.{name}",
            'set base_url, e.g. "https://git.example.com"',
        )
        for name, source in hub.sources.items()
        if source.has_api_token and not web_url(source)
    ]


async def check(config: Config, source: str) -> Sequence[Finding]:
    """The webhooks of the repositories that a source's forge has, if it may be asked."""
    try:
        places, _ = of_targets(config, source)
    except ConfigError:
        return []  # no public_url, or no repository of this forge: others say so
    settings = places[0].settings
    if not settings.has_api_token or settings.provider not in SPOKEN:
        return []
    forge = forge_of(source, settings)
    try:
        return [found async for found in _of_places(forge, places[:MOST_PLACES])]
    finally:
        await forge.close()


async def _of_places(forge: Forge, places: Sequence[Chosen]) -> AsyncIterator[Finding]:
    for chosen in places:
        where = f"hub.sources.{chosen.source}"
        try:
            yield _judged(await _ours(forge, chosen), chosen, where)
        except ForgeRefused as error:
            if error.status == UNAUTHORISED:
                yield problem(str(error), where, error.next_step)
                return
            yield ok(f"its token may not see webhooks of {chosen.place}", where)
        except ForgeError as error:
            yield warning(str(error), where, error.next_step)
            return


async def _ours(forge: Forge, chosen: Chosen) -> list[Judged]:
    own = await _of_place(forge, chosen, chosen.place)
    if own:
        return own
    owner = Place(chosen.place.name.partition("/")[0], is_organisation=True)
    try:
        return await _of_place(forge, chosen, owner)
    except ForgeRefused:  # a person's, or the token may not
        return []


async def _of_place(forge: Forge, chosen: Chosen, place: Place) -> list[Judged]:
    hooks = await forge.hooks(place)
    return [one for one in judged(hooks, chosen.url, forge.events) if one.is_ours]


def _judged(ours: Sequence[Judged], chosen: Chosen, where: str) -> Finding:
    if not ours:
        step = f"directcd hook create {chosen.place} --source {chosen.source}"
        return warning(f"no webhook of {chosen.place} calls this hub", where, step)
    if faults := [fault for one in ours for fault in one.faults]:
        step = f"directcd hook repair {chosen.place} --source {chosen.source}"
        return warning(f"the webhook of {chosen.place}: {'; '.join(faults)}", where, step)
    return ok(f"{chosen.place} has a webhook that calls this hub", where)
