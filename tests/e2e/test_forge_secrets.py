"""Tokens and secrets of forges are where they were written, and nowhere else."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.forge_apis.server import Answer
from tests.support.recovering import MAIN, World, world
from tests.support.waiting import DEADLINE_SECONDS

CANARY_TOKEN = "canary-forge-token-6f1e0d4b"
CANARY_SECRET = "canary-webhook-secret-93ab77"
CANARIES = (CANARY_TOKEN, CANARY_SECRET)
PAGES = ("/", "/setup", "/deliveries", "/refusals", "/health", "/v1/sources", "/v1/deliveries",
         "/v1/refusals", "/v1/subscriptions", "/metrics", "/openapi.json")  # fmt: skip


@pytest.fixture(params=["github", "gitea", "gitlab"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A forge that wants the token for all that it tells."""
    with world(request.param, tmp_path) as made:
        made.repository("acme/shop")
        made.forge.token = CANARY_TOKEN
        yield made


def _file(forge: World, place: Path) -> Path:
    (place / "token").write_text(CANARY_TOKEN)
    (place / "secret").write_text(CANARY_SECRET)
    for name in ("token", "secret"):
        (place / name).chmod(0o600)
    file = place / "directcd.toml"
    file.write_text(
        f"""
        [hub]
        listen = "127.0.0.1:{forge.port}"
        public_url = "http://127.0.0.1:{forge.port}"
        data = "{place}/hub"
        [hub.sources.main]
        provider = "{forge.provider}"
        base_url = "{forge.forge.web_url}"
        api_url = "{forge.forge.url}"
        api_token_file = "{place}/token"
        secrets_files = ["{place}/secret"]
        deployments = true
        [[target]]
        name = "shop"
        repositories = [{{ url = "{forge.clone_url("acme/shop")}", ref = "main" }}]
        """
    )
    return file


def _hook(file: Path, *words: str) -> str:
    command = [sys.executable, "-m", "directcd", "hook", *words, "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(command) + done.stdout + done.stderr


def _process(pid: int) -> str:
    names = ("cmdline", "environ")
    return " ".join(Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in names)


def _report(forge: World, hub: httpx.Client) -> None:
    """A build that fails."""
    now = datetime.now(UTC).isoformat()
    report = {
        "target": "shop",
        "stage": "built",
        "result": "failed",
        "started_at": now,
        "ended_at": now,
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
        "message": "exit status 1",
        "reporter": "server",
    }
    met = {"stage": "fetched", "result": "ok", "message": "", "caught": True}
    commits = {"commits": [["shop", forge.tips["acme/shop", MAIN]]]}
    hub.post("/v1/reports", json=report | met | commits).raise_for_status()
    hub.post("/v1/reports", json=report).raise_for_status()


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_canaries_stay_where_they_were_put(forge: World, tmp_path: Path) -> None:
    file, seen = _file(forge, tmp_path), list[str]()
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        try:
            seen += _worked(forge, file)
            seen.append(_process(process.pid))
        finally:
            process.terminate()
            process.wait()
    seen += [str(document) for _, _, document in forge.forge.statuses]
    seen += [path for _, path in forge.forge.requests]
    seen.append((tmp_path / "log").read_text())
    seen += [_bytes(path) for path in sorted((tmp_path / "hub").rglob("*")) if path.is_file()]
    assert not [text[:200] for text in seen for canary in CANARIES if canary in text]


def _worked(forge: World, file: Path) -> Iterator[str]:
    """What is said and shown while all of it is used."""
    with httpx.Client(base_url=f"http://127.0.0.1:{forge.port}") as hub:
        _until(lambda: _answers(hub))
        repositories = [{"url": forge.clone_url("acme/shop"), "ref": "main"}]
        hub.post("/v1/subscriptions", json={"name": "s", "repositories": repositories})
        forge.forge.fail_next += [Answer(200, []), Answer(422, {"message": CANARY_SECRET})]
        for words in (["create"], ["create"], ["list"], ["list", "--json"], ["test"], ["repair"]):
            yield _hook(file, *words)
        forge.commit("acme/shop")
        yield hub.post("/v1/recover", json={}).text
        forge.forge.fail_next += [Answer(500, {"message": CANARY_TOKEN})] * 2
        _report(forge, hub)
        _until(lambda: forge.forge.statuses)
        forge.forge.fail_next += [Answer(422, {"message": CANARY_TOKEN})] * 2
        yield _hook(file, "list")
        for page in PAGES:
            yield hub.get(page).text


def _answers(hub: httpx.Client) -> bool:
    try:
        return hub.get("/livez").is_success
    except httpx.TransportError:
        return False


def _bytes(path: Path) -> str:
    return path.read_bytes().decode("latin-1")
