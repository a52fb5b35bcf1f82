"""A supervisor in a process of its own, which starts v1 and ends: data directory, program, log."""

import asyncio
import sys
from pathlib import Path

from cd4sources.delivery.sockets import Sockets
from cd4sources.delivery.supervising import Supervisor
from cd4sources.http import Http
from cd4sources.running.commands import Outputs
from cd4sources.settings import ClientSettings
from tests.integration.cd4sources.supervisors import Lenient, nothing


async def _leave(data: Path, app: Path, log: Path) -> None:
    settings = ClientSettings(data=data, settle_seconds=0.1)
    with log.open("w") as file:
        outputs = Outputs(stdout=file.fileno(), stderr=file.fileno())
        async with Http() as http, asyncio.TaskGroup() as tasks:
            supervisor = Supervisor(settings, http, tasks, Lenient(), Sockets(), outputs=outputs)
            await supervisor.swap("v1", app, nothing)
            supervisor.release()


if __name__ == "__main__":
    asyncio.run(_leave(*(Path(word) for word in sys.argv[1:])))
