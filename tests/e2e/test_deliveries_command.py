"""`directcd deliveries`, `explain` and `notify` against a hub, as a person uses them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import post, serving_hub, settings
from tests.support.waiting import DEADLINE_SECONDS

COMMAND = str(Path(sys.executable).with_name("directcd"))


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub behind a socket, with one subscription, `s1`, to the shop's main."""
    body = {"name": "s1", "repositories": [{"url": SHOP, "ref": "main"}]}
    async with (
        serving_hub(settings(tmp_path)) as (url, _, _),
        httpx.AsyncClient(base_url=url) as client,
    ):
        await client.post("/v1/subscriptions", json=body)
        yield client


async def run(hub: httpx.AsyncClient, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed command, asking this hub."""
    command = [COMMAND, *words, "--hub", str(hub.base_url)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, timeout=30
    )


async def test_deliveries_are_listed_and_searched(hub: httpx.AsyncClient) -> None:
    """A line each for people, the hub's document for programs."""
    for delivery in (push(A), push(B, ref="refs/heads/other")):
        await post(hub, delivery)
    lines = (await run(hub, "deliveries", "list")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NUMBER", "2", "1"]
    assert lines[2].split()[-2:] == ["matched", "s1"]
    done = await run(hub, "deliveries", "list", "--verdict", "no-match", "-q", B[:8], "--json")
    assert [one["number"] for one in json.loads(done.stdout)["deliveries"]] == [2]


async def test_one_is_shown_by_its_number_or_the_forges_id(hub: httpx.AsyncClient) -> None:
    """With its explanation, headers and times; an unknown one is an error with a next step."""
    delivery = push(A)
    await post(hub, delivery)
    for name in ("1", delivery.headers["X-GitHub-Delivery"]):
        text = (await run(hub, "deliveries", "show", name)).stdout
        assert "matched     s1" in text
        assert "header      x-hub-signature-256: (redacted)" in text
    done = await run(hub, "deliveries", "show", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert "`directcd deliveries list`" in done.stderr


async def test_what_was_refused_is_told_with_its_reason(hub: httpx.AsyncClient) -> None:
    """And with what its sender was not told."""
    forged = push(A, secret=b"wrong")
    forged.headers["X-Gitea-Event"] = "push"
    await post(hub, forged)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (text := (await run(hub, "deliveries", "refused")).stdout):
            await asyncio.sleep(0.1)
    assert "401 bad-signature /webhooks/github/main from 127.0.0.1" in text
    assert "(sent_by gitea)" in text


async def test_a_remembered_delivery_is_explained_by_todays_subscriptions(
    hub: httpx.AsyncClient,
) -> None:
    """The first condition that fails, and what to do."""
    await post(hub, push(A, ref="refs/heads/other"))
    done = await run(hub, "explain", "1")
    assert done.returncode == 0
    assert "nearest     s1: ref is refs/heads/other, not refs/heads/main" in done.stdout
    assert json.loads((await run(hub, "explain", "1", "--json")).stdout)["verdict"] == "no-match"
    assert (await run(hub, "explain")).returncode == 2


@pytest.mark.parametrize(
    ("ref", "aliases", "said"),
    [
        ("other", {"github.com": "forge.test"}, "matched     shop"),
        ("main", {"github.com": "forge.test"}, "nearest     shop: ref is refs/heads/other, not"),
        ("other", {}, "no subscription wants this push"),
    ],
    ids=["reached", "another ref", "another name"],
)
async def test_a_remembered_delivery_is_explained_by_the_targets_of_a_file(
    hub: httpx.AsyncClient, tmp_path: Path, ref: str, aliases: dict[str, str], said: str
) -> None:
    """Not by the hub's subscriptions; by the names that the file's source gives repositories."""
    await post(hub, push(A, ref="refs/heads/other"))
    named = ", ".join(f'"{one}" = "{other}"' for one, other in aliases.items())
    file = tmp_path / "directcd.toml"
    file.write_text(f"""
[hub.sources.main]
provider = "github"
insecure = true
host_aliases = {{ {named} }}
[[target]]
name = "shop"
repositories = [{{ url = "https://forge.test/acme/shop", ref = "{ref}" }}]
""")
    done = await run(hub, "explain", "1", "--against", str(file))
    assert (done.returncode, said in done.stdout) == (0, True)
    done = await run(hub, "explain", "1", "--against", str(file), "--json")
    assert "s1" not in json.loads(done.stdout)["matched"]


async def test_what_cannot_be_asked_of_a_remembered_delivery_is_refused(
    hub: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Its signature is not kept, and what was told by hand has no payload of a forge."""
    await hub.post("/v1/notify", json={"repository": SHOP})
    (tmp_path / "file").write_text("")
    for option in ("--secret-file", "--against"):
        done = await run(hub, "explain", "1", option, str(tmp_path / "file"))
        assert (done.returncode, done.stdout) == (2, "")
    assert "it was told by hand" in done.stderr


async def test_a_delivery_is_told_again(hub: httpx.AsyncClient) -> None:
    """To one or all; who is not there cannot be told."""
    await post(hub, push(A))
    done = await run(hub, "deliveries", "redeliver", "1", "--to", "s1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("delivery 2: delivery 1 once more, by hand, for s1 alone")
    done = await run(hub, "deliveries", "redeliver", "1", "--to", "nobody")
    assert done.returncode == 1
    assert "no subscription is named nobody" in done.stderr


async def test_who_follows_a_repository_is_notified(hub: httpx.AsyncClient) -> None:
    """By its URL, without a password in it."""
    done = await run(hub, "notify", SHOP, "--json")
    assert json.loads(done.stdout)["matched"] == ["s1"]
    done = await run(hub, "notify", "https://me:hunter2@h.test/a")
    assert done.returncode == 2
    assert "hunter2" not in done.stderr


async def test_deliveries_are_exported_as_lines(hub: httpx.AsyncClient) -> None:
    """Each whole."""
    delivery = push(A)
    await post(hub, delivery)
    [line] = (await run(hub, "deliveries", "export")).stdout.splitlines()
    assert json.loads(line)["payload"] == delivery.body.decode()


async def test_deliveries_are_followed_and_cannot_move_the_cursor(hub: httpx.AsyncClient) -> None:
    """Those that come from now on, oldest first."""
    await post(hub, push(A))
    process = await asyncio.create_subprocess_exec(
        *(COMMAND, "deliveries", "tail", "--hub", str(hub.base_url)),
        stdout=subprocess.PIPE,
        env={"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = asyncio.ensure_future(process.stdout.readline())
            number = 0
            while not line.done():  # it may not have begun to look yet
                number += 1
                await post(hub, push(f"{number:040x}", ref="refs/heads/\u202ex"))
                await asyncio.wait([line], timeout=0.5)
    finally:
        process.kill()
        await process.wait()
    found = (await line).decode()
    assert "refs/heads/" in found
    assert "no-match" in found
    assert "\u202e" not in found


async def test_a_hub_that_is_not_there_is_out_of_reach() -> None:
    """With the code that scripts know."""
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as nobody:
        for words in (["deliveries", "list"], ["explain", "1"], ["notify", SHOP]):
            assert (await run(nobody, *words)).returncode == 7
