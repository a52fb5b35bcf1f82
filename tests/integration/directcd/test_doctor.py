"""Doctor against real hubs, Redis servers, git servers, and programs that never answer."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cd4sources.tokens import digest
from directcd.demo.world import free_ports
from directcd.doctor.examining import examined
from directcd.doctor.findings import Finding
from hub.settings import HubTokenSettings
from tests.support.deliveries import A, push
from tests.support.githttp import GitServer
from tests.support.hubs import WEBHOOK, serving_hub, settings
from tests.support.processes import is_alive
from tests.support.redis_servers import single
from tests.support.sources import Source

HUB = """
[hub]
listen = "127.0.0.1:{port}"
data = "{place}/data"
{more}
"""
TARGET = """
[server]
listen = "127.0.0.1:{port}"
data = "{place}/server"
hub = "{hub}"
[[target]]
name = "shop"
repositories = [{{ url = "{url}", ref = "{ref}" }}]
"""


async def looked_at(place: Path, text: str, where: str) -> list[Finding]:
    """What is found at a key."""
    file = place / "directcd.toml"
    file.write_text(text)
    return [one for one in await examined(file) if one.where == f"{file}:{where}"]


def wrong(findings: list[Finding]) -> list[str]:
    """What is not fine."""
    return [one.what for one in findings if one.severity != "ok"]


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where somebody takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_a_free_port_is_fine(tmp_path: Path) -> None:
    """The hub may be started later."""
    text = HUB.format(port=free_ports(1)[0], place=tmp_path, more="")
    findings = await looked_at(tmp_path, text, "hub.listen")
    assert wrong(findings) == []
    assert any("is free" in one.what for one in findings)


async def test_a_port_that_another_program_has_is_a_problem(tmp_path: Path) -> None:
    """Something that answers, but not as a hub does."""
    with GitServer.serving(tmp_path) as other:
        text = HUB.format(port=other.port, place=tmp_path, more="")
        said = wrong(await looked_at(tmp_path, text, "hub.listen"))
    assert said == [f"another program listens on 127.0.0.1:{other.port}"]


async def test_a_silent_program_on_the_port_is_a_problem(tmp_path: Path, silent: str) -> None:
    """It is in use, whoever it is."""
    text = HUB.format(port=silent.rpartition(":")[2], place=tmp_path, more="")
    [said] = wrong(await looked_at(tmp_path, text, "hub.listen"))
    assert "Address already in use" in said


async def test_our_own_running_hub_is_fine(tmp_path: Path) -> None:
    """Told by how it answers; one that does not say its version is another version."""
    async with serving_hub(settings(tmp_path / "hub")) as (url, _, _):
        text = HUB.format(port=url.rpartition(":")[2], place=tmp_path, more="")
        findings = await looked_at(tmp_path, text, "hub.listen")
    assert any("runs" in one.what for one in findings)
    assert [said.partition(",")[0] for said in wrong(findings)] == ["its version is an older one"]


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[GitServer]:
    """A git server that knows Ada, and has one repository."""
    Source(tmp_path / "git" / "shop").commit({"build.sh": "exit 0"})
    with GitServer.serving(tmp_path / "git", user="ada", password="pw-of-ada-4711") as server:
        yield server


def target(place: Path, url: str, ref: str = "main", hub: str = "") -> str:
    """A server with one target."""
    return TARGET.format(place=place, port=free_ports(1)[0], hub=hub, url=url, ref=ref)


async def test_a_repository_is_asked_with_its_credential(tmp_path: Path, remote: GitServer) -> None:
    """As the server asks it, and nothing is left in the data directory."""
    text = target(tmp_path, remote.url("shop/.git", "ada", "pw-of-ada-4711"))
    [finding] = await looked_at(tmp_path, text, "target.shop.repositories[0]")
    assert finding.severity == "ok"
    assert not (tmp_path / "server").exists()


@pytest.mark.parametrize(
    ("password", "ref", "said"),
    [("wrong-4711", "main", "Authentication failed"), ("pw-of-ada-4711", "mian", "no such ref")],
    ids=["wrong password", "no such branch"],
)
async def test_a_repository_that_cannot_be_fetched_is_a_problem(
    tmp_path: Path, remote: GitServer, password: str, ref: str, said: str
) -> None:
    """With git's reason, and without the password."""
    text = target(tmp_path, remote.url("shop/.git", "ada", password), ref)
    [finding] = await looked_at(tmp_path, text, "target.shop.repositories[0]")
    assert finding.severity == "problem"
    assert said in finding.what
    assert password not in str(finding)


@pytest.mark.parametrize(
    ("name", "found"), [("shop/.git", 0), ("other", 1)], ids=["named", "not named"]
)
async def test_the_hub_is_asked_what_deliveries_have_named(
    tmp_path: Path, remote: GitServer, name: str, found: int
) -> None:
    """Whose repository no delivery has named waits for the poll."""
    async with serving_hub(settings(tmp_path / "hub")) as (hub, _, _), httpx.AsyncClient() as http:
        delivery = push(A, url=remote.url("shop/.git"))
        await http.post(hub + WEBHOOK, content=delivery.body, headers=delivery.headers)
        text = target(tmp_path, remote.url(name), hub=hub)
        findings = await looked_at(tmp_path, text, "target.shop.repositories[0]")
    assert sum("never heard of" in said for said in wrong(findings)) == found


async def test_a_guarded_hub_is_asked_with_a_token(tmp_path: Path) -> None:
    """Without one it does not tell, which is nothing wrong."""
    guard = HubTokenSettings(name="me", sha256=digest("dcd_4711"))
    async with serving_hub(settings(tmp_path / "hub", tokens=(guard,))) as (hub, _, _):
        file = tmp_path / "directcd.toml"
        file.write_text(target(tmp_path, "http://127.0.0.1:9/shop", hub=hub))
        alone = [one.what for one in await examined(file)]
        shown = [one.what for one in await examined(file, "dcd_4711")]
        (tmp_path / "token").write_text("dcd_4711")
        named = f'[server]\nhub_token_file = "{tmp_path}/token"\n'
        file.write_text(file.read_text().replace("[server]\n", named))
        named_by_the_file = [one.what for one in await examined(file)]
    assert sum("--token-file" in said for said in alone) == 1
    assert not any("never heard of" in said for said in alone)
    assert any("never heard of" in said for said in shown)
    assert any("never heard of" in said for said in named_by_the_file)


async def test_deliveries_with_a_wrong_secret_are_told(tmp_path: Path) -> None:
    """At their source, with what to do."""
    async with serving_hub(settings(tmp_path / "hub")) as (hub, _, _), httpx.AsyncClient() as http:
        delivery = push(A, secret=b"another")
        await http.post(hub + WEBHOOK, content=delivery.body, headers=delivery.headers)
        while not (await http.get(f"{hub}/v1/refusals")).json()["refusals"]:
            await asyncio.sleep(0.01)  # they are written down together
        source = '[hub.sources.main]\nprovider = "github"\nsecrets = ["s3cr3t"]'
        text = HUB.format(port=hub.rpartition(":")[2], place=tmp_path, more=source)
        [finding] = await looked_at(tmp_path, text, "hub.sources.main")
    assert "refused with 401" in finding.what
    assert "secret" in finding.next


async def test_a_target_that_was_rolled_back_is_told(tmp_path: Path) -> None:
    """With the next step that the hub knows."""
    report = {
        "target": "shop",
        "version": "v-1",
        "stage": "running",
        "result": "rolled_back",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:00:01Z",
        "reporter": "east",
        "message": "it does not answer",
        "traceparent": f"00-{'1' * 32}-{'1' * 16}-01",
    }
    async with serving_hub(settings(tmp_path / "hub")) as (hub, _, _), httpx.AsyncClient() as http:
        assert (await http.post(f"{hub}/v1/reports", json=report)).status_code == 202
        text = HUB.format(port=hub.rpartition(":")[2], place=tmp_path, more="")
        file = tmp_path / "directcd.toml"
        file.write_text(text)
        findings = await examined(file)
    told = [one for one in findings if one.what.startswith("shop: rolled back at east: it does")]
    assert [(one.severity, "east" in one.next) for one in told] == [("problem", True)]


async def test_a_hub_elsewhere_must_run(tmp_path: Path, remote: GitServer) -> None:
    """One that this file only names is not started by it."""
    hub = f"http://127.0.0.1:{free_ports(1)[0]}"
    text = target(tmp_path, remote.url("shop/.git"), hub=hub)
    [finding] = await looked_at(tmp_path, text, "server.hub")
    assert finding.severity == "problem"
    assert "out of reach" in finding.what


async def test_a_redis_that_loses_pushes_is_a_warning(tmp_path: Path) -> None:
    """What the hub warns of when it starts, with the setting."""
    with single(tmp_path / "redis") as redis:
        text = HUB.format(port=free_ports(1)[0], place=tmp_path, more=f'redis = "{redis.url}"')
        findings = await looked_at(tmp_path, text, "hub.redis")
    assert any(one.next.startswith("set appendonly yes") for one in findings)


async def test_a_redis_that_is_away_is_a_problem(tmp_path: Path) -> None:
    """The password in its address stays there."""
    url = f"redis://:p4ssw0rd@127.0.0.1:{free_ports(1)[0]}"
    text = HUB.format(port=free_ports(1)[0], place=tmp_path, more=f'redis = "{url}"')
    away = [one for one in await looked_at(tmp_path, text, "hub.redis") if one.severity != "ok"]
    assert any(one.severity == "problem" for one in away)
    assert "p4ssw0rd" not in str(away)


async def test_what_hangs_is_a_problem_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """Hub, Redis, remote and go say nothing: each has its finding, and nothing is left running."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 600\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    more = f'redis = "redis://{silent}"'
    text = HUB.format(port=free_ports(1)[0], place=tmp_path, more=more)
    text += target(tmp_path, f"http://{silent}/shop.git", hub=f"http://{silent}")
    (tmp_path / "directcd.toml").write_text(text)
    findings = await examined(tmp_path / "directcd.toml")
    problems = {one.where.partition(".toml:")[2] for one in findings if one.severity == "problem"}
    assert problems == {"", "hub.redis", "server.hub", "target.shop.repositories[0]"}
    assert "go did not answer within 3 s" in wrong(findings)
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("provider", "hint"),
    [
        ("gitea", "ALLOWED_HOST_LIST = external,loopback"),
        ("forgejo", "ALLOWED_HOST_LIST = external,loopback"),
        ("gogs", "LOCAL_NETWORK_ALLOWLIST = localhost"),
        ("gitlab", "Outbound requests"),
        ("github", "set public_url to what the forge can reach"),
    ],
)
async def test_a_forge_that_may_refuse_to_call_is_named(
    tmp_path: Path, provider: str, hint: str
) -> None:
    """With its own setting, because of the address it is given."""
    more = f"""public_url = "http://localhost:8080"
[hub.sources.main]
provider = "{provider}"
insecure = true"""
    text = HUB.format(port=free_ports(1)[0], place=tmp_path, more=more)
    [finding] = await looked_at(tmp_path, text, "hub.public_url")
    assert finding.severity == "warning"
    assert hint in finding.next


async def test_a_forge_that_has_called_is_not_doubted(tmp_path: Path) -> None:
    """Whatever its address: it can."""
    async with serving_hub(settings(tmp_path / "hub")) as (hub, _, _), httpx.AsyncClient() as http:
        delivery = push(A)
        await http.post(hub + WEBHOOK, content=delivery.body, headers=delivery.headers)
        source = '[hub.sources.main]\nprovider = "github"\nsecrets = ["s3cr3t"]'
        text = HUB.format(port=hub.rpartition(":")[2], place=tmp_path, more=source)
        findings = await looked_at(tmp_path, text, "hub.listen")
    assert not any("internet" in said for said in wrong(findings))
