"""Sources of every kind of forge, from POST to the subscriber; and whose secret signed what."""

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.explaining import CHANGES_SHOWN
from hub.settings import HubSettings, SourceSettings
from tests.support.deliveries import SECRET, ZERO, A, B, C, Post
from tests.support.forges import (
    STANDARD_KEY,
    bitbucket,
    bitbucket_server,
    gitea,
    hint,
    standard,
)
from tests.support.hubs import hub_client, post


def hub_of(data: Path, provider: str, **changes: Any) -> HubSettings:
    """A hub with one source `main`."""
    secrets = () if changes.get("secrets_files") else (SecretStr(SECRET.decode()),)
    source = SourceSettings(provider=provider, **({"secrets": secrets} | changes))
    return HubSettings(data=data, sources={"main": source})


def secrets(*values: str) -> tuple[SecretStr, ...]:
    """Secrets as settings hold them."""
    return tuple(SecretStr(value) for value in values)


async def subscribe(hub: httpx.AsyncClient, url: str, ref: str = "") -> str:
    """Subscribe a server named `s1`; where it starts."""
    body = {"name": "s1", "repositories": [{"url": url, "ref": ref}]}
    cursor: str = (await hub.post("/v1/subscriptions", json=body)).json()["cursor"]
    return cursor


async def told(hub: httpx.AsyncClient, url: str, after: str) -> list[dict[str, Any]]:
    """What a subscriber of this URL has heard of since."""
    answer = await hub.get("/v1/events", params={"repository": url, "after": after, "timeout": 0})
    events: list[dict[str, Any]] = answer.json()["events"] if answer.status_code == 200 else []
    return [event["data"] for event in events]


async def source_view(hub: httpx.AsyncClient) -> dict[str, Any]:
    """The only source, as the API shows it."""
    [view] = (await hub.get("/v1/sources")).json()["sources"]
    found: dict[str, Any] = view
    return found


# --- whose delivery is it -----------------------------------------------------------------------


async def test_another_forges_delivery_is_refused_when_its_signature_holds(tmp_path: Path) -> None:
    """With the provider and the URL to use instead; nothing is stored."""
    delivery = gitea("https://git.example.com/a/b", ZERO, A)
    delivery.headers["X-Forgejo-Event"] = "push"
    async with hub_client(hub_of(tmp_path, "gitea")) as hub:
        answer = await post(hub, delivery, "/webhooks/gitea/main")
        assert (answer.status_code, answer.json()["code"]) == (400, "provider-mismatch")
        assert 'provider = "forgejo"' in answer.json()["next"]
        assert "/webhooks/forgejo/main" in answer.json()["next"]
        assert (await hub.get("/v1/deliveries")).json()["deliveries"] == []


async def test_a_stranger_is_not_told_whose_delivery_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """401 as ever; the hub's own log says what usually is the cause."""
    delivery = bitbucket("r1", ("main", None, A))
    async with hub_client(hub_of(tmp_path, "gitea")) as hub:
        answer = await post(hub, delivery, "/webhooks/gitea/main")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad-signature")
    assert "bitbucket" not in answer.text
    [line] = [one for one in caplog.records if one.getMessage() == "delivery refused"]
    assert line.__dict__["sent_by"] == "bitbucket"


async def test_an_insecure_source_does_not_take_another_forges_delivery(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unsigned is not anything at all; and the log says at the start what it takes."""
    settings = hub_of(tmp_path, "github", secrets=(), insecure=True)
    async with hub_client(settings) as hub:
        answer = await post(hub, bitbucket("r1", ("main", None, A)), "/webhooks/github/main")
        assert answer.json()["code"] == "provider-mismatch"
        own = Post(b"{}", {"Content-Type": "application/json", "X-GitHub-Event": "star"})
        accepted = await post(hub, own, "/webhooks/github/main")
        assert accepted.status_code == 202
        assert (await hub.get(accepted.json()["inspect"])).json()["signed_by"] == ""
        view = await source_view(hub)
    assert (view["insecure"], view["secrets"], view["next"]) == (True, [], "")
    assert "source takes unsigned deliveries" in caplog.messages
    assert view["last_delivery_at"]


async def test_an_old_timestamp_is_refused(tmp_path: Path) -> None:
    """The hub knows when it received a delivery; a signature that carries a time expires."""
    now = datetime.now(UTC)
    settings = hub_of(tmp_path, "standard_webhooks", secrets=secrets(STANDARD_KEY))
    path = "/webhooks/standard_webhooks/main"
    async with hub_client(settings) as hub:
        old = await post(hub, standard(now - timedelta(minutes=6)), path)
        assert (old.status_code, old.json()["code"]) == (401, "bad-signature")
        assert (await post(hub, standard(now - timedelta(minutes=4)), path)).status_code == 202


# --- what is the repository called --------------------------------------------------------------


async def test_a_subscriber_of_the_public_name_hears_of_an_internal_one(tmp_path: Path) -> None:
    """From the forge's own address in the payload to the notification."""
    public = "https://git.example.com/git/acme/shop"
    settings = hub_of(tmp_path, "gitea", host_aliases={"gitea:3000": "git.example.com/git"})
    async with hub_client(settings) as hub:
        cursor = await subscribe(hub, public)
        delivery = gitea("http://gitea:3000/acme/shop.git", ZERO, A)
        answer = await post(hub, delivery, "/webhooks/gitea/main")
        assert answer.json()["matched"] == ["s1"]
        [notification] = await told(hub, public, cursor)
    keys = {"gitea/acme/shop", "gitea:3000/acme/shop", "git.example.com/git/acme/shop"}
    assert set(notification["repository"]["keys"]) == keys


async def test_an_alias_counts_before_the_repositories_of_a_source(tmp_path: Path) -> None:
    """They may be named as everybody else names them."""
    settings = hub_of(
        tmp_path,
        "gitea",
        host_aliases={"gitea:3000": "git.example.com"},
        repositories=("git.example.com/acme/*",),
    )
    async with hub_client(settings) as hub:
        path = "/webhooks/gitea/main"
        ours = await post(hub, gitea("http://gitea:3000/acme/shop", ZERO, A), path)
        assert ours.json()["event"]["repository"] == "git.example.com/acme/shop"
        other = await post(hub, gitea("http://gitea:3000/evil/shop", ZERO, A), path)
        assert (other.status_code, other.json()["code"]) == (403, "repository-not-allowed")


async def test_a_repository_without_any_url_is_named_by_the_base_url(tmp_path: Path) -> None:
    """As old Bitbucket Servers need it; its clone URL names the same repository."""
    path, url = "/webhooks/bitbucket_server/main", "https://bb.example.com/scm/acme/shop.git"
    settings = hub_of(tmp_path, "bitbucket_server", base_url="https://bb.example.com/")
    async with hub_client(settings) as hub:
        cursor = await subscribe(hub, url)
        assert (await post(hub, bitbucket_server(ZERO, A), path)).json()["matched"] == ["s1"]
        [notification] = await told(hub, url, cursor)
        assert notification["repository"]["keys"] == ["bb.example.com/acme/shop"]
        repeated = await post(hub, bitbucket_server(ZERO, A), path)
        assert repeated.json()["verdict"] == "duplicate"


async def test_without_a_base_url_the_next_step_is_to_set_it(tmp_path: Path) -> None:
    """Nobody could be told of it."""
    async with hub_client(hub_of(tmp_path, "bitbucket_server")) as hub:
        answer = await post(hub, bitbucket_server(ZERO, A), "/webhooks/bitbucket_server/main")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-delivery")
    assert "set base_url in [hub.sources.main]" in answer.json()["next"]


async def test_a_base_url_changes_no_repository_that_has_a_name(tmp_path: Path) -> None:
    """It only stands in."""
    async with hub_client(hub_of(tmp_path, "gitea", base_url="https://bb.example.com")) as hub:
        delivery = gitea("https://git.example.com/acme/shop", ZERO, A)
        answer = await post(hub, delivery, "/webhooks/gitea/main")
    assert answer.json()["event"]["repository"] == "git.example.com/acme/shop"


# --- which secret signed it ---------------------------------------------------------------------


async def test_a_secret_is_rotated_with_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who still uses the old one is known, warned of once, and kept over a restart."""
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new\n")
    old.write_text("old\n")
    settings = hub_of(tmp_path / "hub", "gitea", secrets_files=(new, old))
    url, path = "https://git.example.com/acme/shop", "/webhooks/gitea/main"
    async with hub_client(settings) as hub:
        first = await post(hub, gitea(url, ZERO, A, b"old"), path)
        assert (await hub.get(first.json()["inspect"])).json()["signed_by"] == str(old)
        assert (await post(hub, gitea(url, ZERO, A, b"old"), path)).status_code == 200
        before = await source_view(hub)
    warnings = [one for one in caplog.records if "older secret" in one.getMessage()]
    assert [one.__dict__["place"] for one in warnings] == [str(old)]
    assert f"The forge still signs with {old}; last at" in before["next"]
    assert [one["current"] for one in before["secrets"]] == [True, False]
    assert [one["deliveries"] for one in before["secrets"]] == [0, 2]
    async with hub_client(settings) as hub:
        assert await source_view(hub) == before
        await post(hub, gitea(url, A, B, b"new"), path)
        after = await source_view(hub)
    assert [one["deliveries"] for one in after["secrets"]] == [1, 2]
    assert after["next"].startswith(f"{old} was last used at")
    assert after["last_delivery_at"] == after["secrets"][0]["last_used_at"]


async def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    """Nor a part of one."""
    settings = hub_of(tmp_path, "gitea", secrets=secrets("hunter2hunter2", "s3cr3ts3cr3t"))
    async with hub_client(settings) as hub:
        await post(hub, gitea("https://h.test/a/b", ZERO, A, b"s3cr3ts3cr3t"), "/webhooks/gitea")
        text = (await hub.get("/v1/sources")).text + (await hub.get("/v1/deliveries")).text
    assert "secrets[1]" in text
    assert "hunter2" not in text
    assert "s3cr3t" not in text


async def test_an_unreadable_file_does_not_refuse_what_another_secret_signed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is logged when it happens and when it ends, however many deliveries there are.

    What none of the others signed may have been signed with it: 503, and the forge may try again.
    """
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("good")
    settings = hub_of(tmp_path / "hub", "gitea", secrets_files=(bad, good))
    url, path = "https://git.example.com/acme/shop", "/webhooks/gitea/main"
    with caplog.at_level(logging.INFO, logger="hub.sources"):
        async with hub_client(settings) as hub:
            assert (await post(hub, gitea(url, ZERO, A, b"good"), path)).status_code == 202
            assert (await post(hub, gitea(url, A, B, b"good"), path)).status_code == 202
            assert (await post(hub, gitea(url, A, B, b"bad"), path)).status_code == 503
            bad.write_text("bad")
            assert (await post(hub, gitea(url, B, C, b"bad"), path)).status_code == 202
            good.unlink()
            bad.write_text("")
            answer = await post(hub, gitea(url, A, C, b"bad"), path)
    assert (answer.status_code, answer.json()["code"]) == (503, "secret-unavailable")
    said = [
        (one.getMessage(), one.__dict__["place"])
        for one in caplog.records
        if one.name == "hub.sources"
    ]
    assert said == [
        ("secret not readable", str(bad)),
        ("secret readable again", str(bad)),
        ("secret not readable", str(bad)),
        ("secret not readable", str(good)),
    ]


@pytest.mark.parametrize("kind", ["fifo", "directory", "huge", "nul"])
async def test_what_is_no_secret_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """A FIFO would hold the hub up for ever."""
    path = tmp_path / ("a\0b" if kind == "nul" else "secret")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "huge":
        path.write_bytes(b"x" * (64 * 1024 + 1))
    async with hub_client(hub_of(tmp_path / "hub", "gitea", secrets_files=(path,))) as hub:
        answer = await post(hub, gitea("https://h.test/a/b", ZERO, A), "/webhooks/gitea/main")
        view = await source_view(hub)
    assert (answer.status_code, answer.json()["code"]) == (503, "secret-unavailable")
    assert view["secrets"][0]["readable"] is False


async def test_a_secret_replaced_in_its_file_is_another_one(tmp_path: Path) -> None:
    """Even with the length and the time of the old one."""
    file = tmp_path / "secret"
    file.write_text("aaaa")
    url, path = "https://h.test/a/b", "/webhooks/gitea/main"
    async with hub_client(hub_of(tmp_path / "hub", "gitea", secrets_files=(file,))) as hub:
        await post(hub, gitea(url, ZERO, A, b"aaaa"), path)
        before = file.stat()
        file.write_text("bbbb")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (await source_view(hub))["secrets"][0]["deliveries"] == 0
        assert (await post(hub, gitea(url, A, B, b"aaaa"), path)).status_code == 401
        assert (await post(hub, gitea(url, A, B, b"bbbb"), path)).status_code == 202


async def test_an_adapters_mistake_is_answered_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An adapter may be anybody's; its traceback is for the hub's log alone."""
    installed = tmp_path / "mistaken-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: mistaken\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[directcd.adapters]\nmistaken = mistaken_one:ADAPTER\n"
    )
    (tmp_path / "mistaken_one.py").write_text("class A:\n    name = 'mistaken'\nADAPTER = A()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with hub_client(hub_of(tmp_path / "hub", "mistaken")) as hub:
        answer = await post(hub, Post(b"{}"), "/webhooks/mistaken/main")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "AttributeError" in caplog.text
    assert "AttributeError" not in answer.text


async def test_two_sources_of_a_provider_are_not_one_without_a_name(tmp_path: Path) -> None:
    """And the answer does not claim that there is none."""
    one = SourceSettings(provider="gitea", secrets=secrets("a"))
    settings = HubSettings(data=tmp_path, sources={"a": one, "b": one})
    async with hub_client(settings) as hub:
        answer = await post(hub, gitea("https://h.test/a/b", ZERO, A), "/webhooks/gitea")
    assert (answer.status_code, "several sources" in answer.json()["detail"]) == (404, True)


# --- what has changed ---------------------------------------------------------------------------


async def test_a_ref_that_moved_twice_in_a_delivery_is_told_twice(tmp_path: Path) -> None:
    """Its head is where it came to stand."""
    url, path = "https://bitbucket.org/acme/shop", "/webhooks/bitbucket/main"
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        cursor = await subscribe(hub, url)
        await post(hub, bitbucket("r1", ("main", A, B), ("main", B, C)), path)
        assert [one["after"] for one in await told(hub, url, cursor)] == [B, C]


async def test_every_ref_of_a_delivery_is_told_once(tmp_path: Path) -> None:
    """One known ref among three does not make the others a repeat."""
    url, path = "https://bitbucket.org/acme/shop", "/webhooks/bitbucket/main"
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        cursor = await subscribe(hub, url, "release/*")
        await post(hub, bitbucket("r1", ("main", A, B)), path)
        three = bitbucket("r2", ("main", A, B), ("old", B, None), ("release/1", None, C))
        answer = await post(hub, three, path)
        refs = [(one["ref"], one["after"]) for one in await told(hub, url, cursor)]
        again = await post(hub, three, path)
    body = answer.json()
    assert (body["verdict"], body["matched"]) == ("matched", ["s1"])
    assert body["reason"] == "1 subscription(s) want this push of 3 refs"
    assert [(one["ref"], one["before"], one["after"]) for one in body["changes"]] == [
        ("refs/heads/main", A, B),
        ("refs/heads/old", B, None),
        ("refs/heads/release/1", None, C),
    ]
    assert body["event"]["ref"] == "refs/heads/main"
    assert refs == [
        ("refs/heads/main", B),
        ("refs/heads/old", None),
        ("refs/heads/release/1", C),
    ]
    assert again.json()["verdict"] == "duplicate"


@pytest.mark.parametrize("wanted", ["r7", "refs/heads/*7", ""], ids=["one", "pattern", "any"])
async def test_a_subscriber_of_one_ref_among_many_is_found(tmp_path: Path, wanted: str) -> None:
    """Wherever in the delivery it stands."""
    changes = [(f"r{number}", A, B) for number in range(9)]
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        await subscribe(hub, "bitbucket.org/acme/shop", wanted)
        answer = await post(hub, bitbucket("r1", *changes), "/webhooks/bitbucket/main")
    assert answer.json()["matched"] == ["s1"]


@pytest.mark.timeout(30)
async def test_thousands_of_refs_are_counted_and_keep_nobody_waiting(tmp_path: Path) -> None:
    """An answer lists the first of them; the hub goes on answering meanwhile."""
    changes = [(f"r{number}", A, B) for number in range(10_000)]
    async with hub_client(hub_of(tmp_path, "bitbucket")) as hub:
        delivery = bitbucket("r1", *changes)
        async with asyncio.TaskGroup() as tasks:
            sent = tasks.create_task(post(hub, delivery, "/webhooks/bitbucket/main"))
            answered = 0
            while not sent.done():
                assert (await hub.get("/livez")).status_code == 200
                await asyncio.sleep(0.001)
                answered += 1
        body = sent.result().json()
        head = (await hub.get("/v1/events")).headers["x-directcd-cursor"]
    assert answered > 10
    assert head.split("-")[1] == "10000"
    assert (len(body["changes"]), body["more"]) == (CHANGES_SHOWN, 10_000 - CHANGES_SHOWN)


async def test_a_ping_needs_no_address(tmp_path: Path) -> None:
    """Only who is to be told must be found; and the answer lists all of its refs: none."""
    ping = hint(event="ping", repository={"full_name": "acme/shop"})
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        answer = await post(hub, ping, "/webhooks/generic/main")
    assert (answer.status_code, answer.json()["verdict"]) == (200, "ping")
    assert (answer.json()["changes"], answer.json()["more"]) == ([], 0)


async def test_a_hint_without_a_hash_is_news_each_time(tmp_path: Path) -> None:
    """Two within the window are two; the same delivery again is a repeat."""
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        deliveries = [hint(), hint(), hint(), hint(), hint(after=A), hint(after=A)]
        for delivery, name in zip(deliveries, ["", "", "id1", "id1", "", ""], strict=True):
            if name:
                delivery.headers["X-Request-Id"] = name
        answers = [await post(hub, one, "/webhooks/generic/main") for one in deliveries]
    verdicts = [answer.json()["verdict"] for answer in answers]
    assert verdicts == ["no-match"] * 3 + ["duplicate", "no-match", "duplicate"]


async def test_a_hint_that_knows_only_where_the_ref_was_is_news_each_time(tmp_path: Path) -> None:
    """Also after somebody said where it stands."""
    deliveries = [hint(before=A), hint(before=B, after=C), hint(before=A), hint(before=B, after=C)]
    async with hub_client(hub_of(tmp_path, "generic")) as hub:
        answers = [await post(hub, one, "/webhooks/generic/main") for one in deliveries]
    assert [answer.json()["verdict"] for answer in answers] == ["no-match"] * 4
