"""What a pull would give, found out without touching its directories."""

from pathlib import Path
from tempfile import TemporaryDirectory

from cd4sources.building.caches import Caches
from cd4sources.building.lanes import Lanes
from cd4sources.building.workshop import Plan, Workshop
from cd4sources.running.commands import reap_leftovers
from cd4sources.settings import ServerSettings
from cd4sources.targets import Target


async def rehearsed(settings: ServerSettings, target: Target) -> Plan:
    """
    Fetch into a directory that goes again, and say what would be built.

    Args:
        settings: How it is fetched; `data` is not touched.
        target: What is pulled.

    Raises:
        RepositoryError: A repository cannot be fetched.
        BuildFailed: Nothing says how to build it, or there is nothing to build it with.
    """
    with TemporaryDirectory(prefix="directcd-") as place:
        elsewhere = settings.model_copy(update={"data": Path(place)})
        workshop = Workshop(target, elsewhere, Lanes(1), Caches(elsewhere.data))
        try:
            return await workshop.plan(await workshop.fetch())
        finally:
            await workshop.rest()
            # What go has left at work, its telemetry, would write where all is being removed.
            await reap_leftovers(elsewhere.data)
