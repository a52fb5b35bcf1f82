"""A hub that wants tokens, and those who follow it and report to it."""

import asyncio
import logging
from pathlib import Path

import httpx
import pytest

from cd4sources.settings import TokenSettings
from cd4sources.tokens import digest, new_token
from directcd import embedded
from directcd.config import Config
from directcd.demo.world import free_ports
from directcd.life import Life
from hub.settings import HubSettings, HubTokenSettings
from tests.support.hubs import serving_hub, settings
from tests.support.serving import BUILD_SH, serving, target_of
from tests.support.sources import Source
from tests.support.waiting import eventually


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path / "app")
    made.commit({"build.sh": BUILD_SH, "words": "one"})
    return made


def token(value: str, *scopes: str) -> HubTokenSettings:
    return HubTokenSettings.model_validate(
        {"name": "servers", "sha256": digest(value), "scopes": scopes}
    )


async def test_a_server_sends_its_token_and_takes_another_from_the_file(
    tmp_path: Path, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong one is said once, with the setting that names it, however often it is tried."""
    value, file = new_token(), tmp_path / "token"
    file.write_text("dcd_wrong")
    values = settings(tmp_path / "hub", tokens=(token(value, "subscribe", "report", "read"),))
    target = target_of("app", source.path)
    caplog.set_level(logging.DEBUG, "cd4sources.backoff")
    async with (
        serving_hub(values) as (url, _, app),
        serving(tmp_path / "data", target, hub=url, hub_token_file=file),
    ):
        await eventually(lambda: caplog.text.count("attempt failed") > 4)
        file.write_text(f"{value}\n")
        await eventually(lambda: len(app.raw_events._fanout._all) == 1)
    ours = [one for one in caplog.records if one.name == "cd4sources.backoff"]
    said = [one for one in ours if one.levelno == logging.WARNING]
    assert {one.peer for one in said} == {"hub", "hub's reports"}  # type: ignore[attr-defined]
    assert len(said) == 2
    assert all("hub_token_file" in one.reason for one in said)  # type: ignore[attr-defined]
    assert "dcd_" not in "".join(one.reason for one in said).replace("dcd_…", "")  # type: ignore[attr-defined]


async def test_the_parts_of_one_process_need_no_token(tmp_path: Path, source: Source) -> None:
    """`directcd up` lets its own parts in, and nobody else."""
    [hub_port, port] = free_ports(2)
    value = new_token()
    hub = HubSettings(
        listen=f"127.0.0.1:{hub_port}", data=tmp_path / "hub", tokens=(token(value, "read"),)
    )
    config = Config.model_validate(
        {
            "hub": hub,
            "server": {"listen": f"127.0.0.1:{port}", "data": tmp_path / "data"},
            "target": [{"name": "app", "repositories": [{"url": str(source.path)}]}],
        }
    )
    stopping = asyncio.Event()
    async with (
        asyncio.TaskGroup() as tasks,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{hub_port}") as http,
    ):
        for part in embedded.parts_of(config):
            tasks.create_task(part(Life(stopping)))
        async with asyncio.timeout(30):
            while not await _follows(http, value):
                await asyncio.sleep(0.05)
        assert (await http.get("/v1/subscriptions")).status_code == 401
        stopping.set()


def test_the_hub_of_one_process_may_read_its_servers_builds(tmp_path: Path) -> None:
    """It is introduced by address, and with a token where the server wants one."""
    theirs = TokenSettings(name="people", sha256=digest(new_token()), scopes=("admin",))
    config = Config.model_validate(
        {
            "hub": HubSettings(listen="0.0.0.0:1", data=tmp_path),
            "server": {"listen": "0.0.0.0:2", "data": tmp_path, "tokens": (theirs,)},
        }
    )
    found = embedded._introduced(config, "")
    assert found.hub
    assert found.server
    known = found.hub.servers[embedded.OWN_SERVER]
    assert known.url == "http://127.0.0.1:2"
    ours = found.server.tokens[-1]
    assert (ours.sha256, ours.scopes) == (digest(known.token.get_secret_value()), ("read",))


async def _follows(http: httpx.AsyncClient, value: str) -> bool:
    try:
        headers = {"Authorization": f"Bearer {value}"}
        answer = await http.get("/v1/targets/app/timeline", headers=headers)
        return bool(answer.json()["traces"])
    except httpx.ConnectError:
        return False


def test_a_hub_of_somebody_else_gets_no_token_of_ours(tmp_path: Path) -> None:
    """What names its hub itself has that hub's token in a file."""
    hub = HubSettings(data=tmp_path, tokens=(token(new_token(), "read"),))
    config = Config.model_validate({"hub": hub, "client": {"hub": "http://127.0.0.1:1"}})
    assert embedded._token_of(config.client, "dcd_ours") == ""
    assert embedded._token_of(config.server, "dcd_ours") == "dcd_ours"
