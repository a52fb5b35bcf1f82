"""A client in a process of its own, to be killed: settings as JSON, then the repository."""

import asyncio
import sys

from cd4sources.client import Client
from cd4sources.settings import ClientSettings

if __name__ == "__main__":
    settings = ClientSettings.model_validate_json(sys.argv[1])
    asyncio.run(Client(settings, sys.argv[2:]).run(asyncio.Event()))
