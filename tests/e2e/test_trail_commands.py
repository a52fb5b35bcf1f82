"""`directcd trace` and `directcd status` against a hub, as a person uses them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.deliveries import A, push
from tests.support.hubs import post, serving_hub, settings

COMMAND = str(Path(sys.executable).with_name("directcd"))


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub behind a socket."""
    async with (
        serving_hub(settings(tmp_path)) as (url, _, _),
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


async def run(hub: httpx.AsyncClient, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed command, asking this hub."""
    command = [COMMAND, *words, "--hub", str(hub.base_url)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, timeout=30
    )


async def report(hub: httpx.AsyncClient, stage: str, seconds: float, **rest: Any) -> None:
    """A stage of the only push, as a server would report it."""
    [push_trace] = (await hub.get(f"/v1/traces/{A}")).json()["traces"]
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    body = {
        "target": "shop",
        "version": "v-0123456789ab",
        "stage": stage,
        "result": "ok",
        "started_at": at.isoformat(),
        "ended_at": at.isoformat(),
        "traceparent": f"00-{push_trace['trace_id']}-{'1' * 16}-01",
        "reporter": "east",
    }
    answer = await hub.post("/v1/reports", json=body | rest)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("needle", [A[:9], "1", "v-0123456789ab"])
async def test_the_way_of_a_push_is_shown(hub: httpx.AsyncClient, needle: str) -> None:
    """By commit, delivery or version; a line for each stage."""
    await post(hub, push(A))
    await report(hub, "built", 1)
    await report(hub, "running", 2)
    lines = (await run(hub, "trace", needle)).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["received", "stored", "built", "running"]
    assert lines[0].startswith("shop github.com/acme/shop refs/heads/main aaaaaaaaaaaa")
    assert "running after 2." in lines[5]
    [trace] = json.loads((await run(hub, "trace", needle, "--json")).stdout)["traces"]
    assert trace["state"] == "running"


async def test_what_nobody_knows_has_an_exit_code_of_its_own(hub: httpx.AsyncClient) -> None:
    """For scripts that wait for it."""
    done = await run(hub, "trace", "abcdef0")
    assert (done.returncode, done.stdout) == (3, "")
    assert "/v1/refusals" in done.stderr


async def test_status_is_one_table(hub: httpx.AsyncClient) -> None:
    """What is newest, how many run it, how long the push took; below it what is wrong."""
    assert "no target yet" in (await run(hub, "status")).stdout
    await post(hub, push(A))
    await report(hub, "fetched", 1, caught=True, commits=[["shop", A]])
    await report(hub, "published", 2)
    await report(hub, "running", 3)
    await report(hub, "running", 4, version="v-2", result="rolled_back", message="it\x1b[2J died")
    header, row, *remarks = (await run(hub, "status")).stdout.splitlines()
    assert header.split()[:3] == ["TARGET", "STATE", "NEWEST"]
    assert row.split()[:5] == ["shop", "rolled", "back", "v-0123456789ab", "aaaaaaaaaaaa"]
    assert "1/1" in row
    assert "it died" in remarks[0]
    assert "1 found by poll only" in remarks[3]
    assert len(json.loads((await run(hub, "status", "--json")).stdout)["targets"]) == 1


async def test_status_says_what_runs_when_that_is_not_the_newest(hub: httpx.AsyncClient) -> None:
    """As after going back; and how to see whether it is meant."""
    await post(hub, push(A))
    await report(hub, "published", 1)
    await report(hub, "running", 2, version="v-aaaaaaaaaaaa")
    said = (await run(hub, "status")).stdout.splitlines()
    assert "shop: east: v-aaaaaaaaaaaa runs, not the newest" in said
    assert "`directcd versions unpin shop`" in said[-1]


async def test_the_commit_is_that_which_was_fetched_when_none_was_said(
    hub: httpx.AsyncClient,
) -> None:
    """As after `directcd notify`, which names the repository alone."""
    answer = await hub.post("/v1/notify", json={"repository": "https://github.com/acme/shop"})
    assert answer.is_success, answer.text
    [trace] = (await hub.get("/v1/traces/1")).json()["traces"]
    at = datetime.now(UTC).isoformat()
    body = {
        "target": "shop", "version": "v-0123456789ab", "stage": "fetched", "result": "ok",
        "started_at": at, "ended_at": at, "reporter": "east", "commits": [["shop", A]],
        "traceparent": f"00-{trace['trace_id']}-{'1' * 16}-01",
    }  # fmt: skip
    assert (await hub.post("/v1/reports", json=body)).status_code == 202
    await hub.post("/v1/reports", json=body | {"stage": "published", "commits": []})
    row = (await run(hub, "status")).stdout.splitlines()[1]
    assert A[:12] in row
    assert A[:12] in (await run(hub, "trace", "1")).stdout


async def test_status_goes_on_until_it_is_interrupted(hub: httpx.AsyncClient) -> None:
    """Off a terminal without any control sequence."""
    command = [COMMAND, "status", "--watch", "--hub", str(hub.base_url)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    told = [await process.stdout.readline() for _ in range(2)]
    process.terminate()
    await process.wait()
    assert told[0] == told[1]
    assert told[0].startswith(b"no target yet")
