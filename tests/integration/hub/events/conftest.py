"""A hub whose events are followed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.hubs import serving_hub, settings


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hub behind a real socket."""
    async with (
        serving_hub(settings(tmp_path)) as (url, *_),
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client
