"""What most of these tests begin with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.cd4sources.peers import ServerPeer, serving
from tests.integration.cd4sources.programs import Journal
from tests.support.serving import BUILD_SH
from tests.support.sources import Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A repository whose artifact holds what the file `words` holds: one."""
    made = Source(tmp_path / "git" / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """What the delivered programs write."""
    return Journal(tmp_path / "journal")


@pytest.fixture
async def server() -> AsyncIterator[ServerPeer]:
    """A server that offers what the test puts into it."""
    async with serving(ServerPeer()) as peer:
        yield peer
