"""`/metrics` and `/readyz` of the server: what it has done, and whether anything is wrong."""

import errno
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cd4sources import health
from tests.integration.cd4sources import peers
from tests.integration.cd4sources.peers import HubPeer
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
def app(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


async def scraped(http: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values, in the order of the labels' names."""
    text = (await http.get("/metrics")).text
    return {
        (sample.name.removeprefix("directcd_server_"), *_values(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _values(labels: dict[str, str]) -> list[str]:
    return [labels[name] for name in sorted(labels)]


async def test_stages_and_versions_are_counted_by_target(tmp_path: Path, app: Source) -> None:
    """A change that only a poll has found is a number of its own."""
    async with serving(tmp_path / "data", target_of("app", app.path)) as running:
        app.commit({"words": "two"})
        await running.look()
        await running.look()
        found = await scraped(running.http)
    assert found["stages_total", "ok", "built", "app"] == 2
    assert found["stages_total", "unchanged", "fetched", "app"] == 1
    assert found["stage_duration_seconds_count", "built", "app"] == 2
    assert found["stage_duration_seconds_bucket", "+Inf", "built", "app"] == 2
    assert found["caught_by_poll_total", "app"] == 1
    assert (found["versions_kept", "app"], found["target_failing", "app"]) == (2, 0)
    assert (found["builds_running",], found["builds_queued",]) == (0, 0)
    assert found["disk_free_bytes",] > 0
    assert ("hub_connected",) not in found


async def test_a_target_that_fails_says_so(tmp_path: Path, app: Source) -> None:
    """Until it is well again."""
    async with serving(tmp_path / "data", target_of("app", app.path)) as running:
        app.commit({"build.sh": "exit 1\n"})
        await running.look()
        found = await scraped(running.http)
    assert found["target_failing", "app"] == 1
    assert found["stages_total", "failed", "built", "app"] == 1


async def test_who_waits_and_what_runs_is_told(tmp_path: Path, app: Source) -> None:
    """Clients say with every question what they run."""
    async with serving(tmp_path / "data", target_of("app", app.path)) as running:
        current = running.follower().offer.current
        assert current
        query = {"repo": str(app.path), "running": current.version, "timeout": "0"}
        await running.http.get("/watch", params=query)
        found = await scraped(running.http)
    assert (found["versions_running", "app"], found["watchers", "app"]) == (1, 0)


async def test_a_hub_that_is_not_heard_is_a_reason(
    tmp_path: Path, app: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ready all the same: what it offers can be had, and it polls."""
    monkeypatch.setattr(health, "DEAF_SECONDS", 0.0001)
    target = target_of("app", app.path)
    async with (
        peers.serving(HubPeer()) as hub,
        serving(tmp_path / "data", target, hub=hub.url) as running,
    ):
        await eventually(lambda: running.app.state.health.hearing.is_heard)
        assert (await scraped(running.http))["hub_connected",] == 1
    async with serving(tmp_path / "other", target, hub="http://127.0.0.1:9") as running:
        assert (await scraped(running.http))["hub_connected",] == 0
        hearing = running.app.state.health.hearing
        await eventually(lambda: hearing.reason)
        ready = await running.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "the hub is not heard for" in ready.json()["reason"]
    assert "http://127.0.0.1:9" in ready.json()["reason"]


async def test_a_disk_that_takes_nothing_is_a_reason(
    tmp_path: Path, app: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that it says."""

    def full(**_: Any) -> NoReturn:
        raise OSError(errno.EROFS, "Read-only file system")

    async with serving(tmp_path / "data", target_of("app", app.path)) as running:
        assert (await running.http.get("/readyz")).json() == {"status": "ok"}
        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        said = (await running.http.get("/readyz")).json()
    assert said["status"] == "degraded"
    assert said["reason"].endswith("so nothing is built: Read-only file system")
