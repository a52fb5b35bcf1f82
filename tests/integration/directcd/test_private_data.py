"""What a hub keeps is nobody else's to read."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.hubs import serving_hub, settings
from tests.support.redis_servers import single


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """What new directories have by default is 0755."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("engine", ["embedded", "redis"])
async def test_a_data_directory_that_the_hub_makes_is_its_own(tmp_path: Path, engine: str) -> None:
    """It holds payloads, which name people; one that is there already is left as it is."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir(mode=0o755)
    with ExitStack() as stack:
        redis = stack.enter_context(single(tmp_path / "redis")).url if engine == "redis" else ""
        for data in (new, old):
            async with serving_hub(settings(data, redis=redis)):
                pass
    assert [stat.S_IMODE(one.stat().st_mode) for one in (new, old)] == [0o700, 0o755]
