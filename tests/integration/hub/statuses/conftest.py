"""A GitHub, and a hub that writes there."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.statuses import sending, worker
from tests.support.forge_apis import FakeGitHub
from tests.support.statuses import Shop, shop_of, writing


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short; what they double to is tried by itself."""
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.1)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    """A GitHub."""
    running = FakeGitHub()
    yield running
    running.close()


@pytest.fixture
async def shop(tmp_path: Path, fake: FakeGitHub) -> AsyncIterator[Shop]:
    """A hub that writes there."""
    async with shop_of(writing(tmp_path, fake, "github"), fake) as made:
        yield made
