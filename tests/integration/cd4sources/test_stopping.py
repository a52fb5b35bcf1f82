"""What is told of the program that makes way for another."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cd4sources.delivery import supervising
from cd4sources.delivery.supervising import RolledBack
from tests.integration.cd4sources.programs import Journal, executable, program
from tests.integration.cd4sources.supervisors import nothing, supervised


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", r"v1 ended \d\.\d\d s after SIGTERM"),
        ("trap '' TERM", r"v1 was killed: it did not end within 0\.2 s of SIGTERM"),
    ],
    ids=["obeys", "does not"],
)
async def test_how_the_old_one_ended_is_told(
    tmp_path: Path, journal: Journal, body: str, told: str, *, overlap: bool
) -> None:
    """And when: before the new one was started, or after."""
    app = executable(tmp_path / "app", program(journal.path, body))
    changes = {"overlap": overlap, "stop_timeout_seconds": 0.2}
    async with supervised(tmp_path, **changes) as supervisor:
        assert await supervisor.swap("v1", app, nothing) is None
        healthy: list[datetime] = []
        stopped = await supervisor.swap("v2", app, lambda: healthy.append(datetime.now(UTC)))
        assert stopped is not None
        assert re.fullmatch(told, stopped.how)
        assert (healthy[0] <= stopped.asked_at) is overlap


async def test_an_old_one_that_is_about_to_be_started_again_does_not_run_on(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended by itself, and a pause has to pass."""
    monkeypatch.setattr(supervising, "FIRST_RESTART_SECONDS", supervising.MOST_RESTART_SECONDS)
    good = executable(tmp_path / "good", program(journal.path))
    bad = executable(tmp_path / "bad", "#!/bin/sh\nkill -9 {}; sleep 0.1; exit 3\n")
    async with supervised(tmp_path, settle_seconds=2) as supervisor:
        await supervisor.swap("v1", good, nothing)
        bad.write_text(bad.read_text().format(*journal.pids("start v1")))
        with pytest.raises(RolledBack, match="v1 is being started again"):
            await supervisor.swap("v2", bad, nothing)
