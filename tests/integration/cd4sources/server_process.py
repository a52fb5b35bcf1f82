"""A server in a process of its own, to be killed: data directory, then the repository."""

import asyncio
import sys
from pathlib import Path

from cd4sources.server import create_app
from cd4sources.settings import ServerSettings
from tests.support.serving import target_of


async def _serve(data: Path, repository: str) -> None:
    app = create_app(ServerSettings(data=data), [target_of("app", repository)])
    async with app.router.lifespan_context(app):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
