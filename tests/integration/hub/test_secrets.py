"""Which secret signed a delivery, and what becomes of it when one cannot be read."""

import logging
import os
from pathlib import Path

import pytest

from tests.support.deliveries import ZERO, A, B, C
from tests.support.forges import gitea
from tests.support.hubs import hub_client, hub_of, post, secrets, source_view


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


async def test_the_secret_before_is_read_beside_the_file_while_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It appears, changes and goes without a restart, and its absence is no trouble."""
    file, previous = tmp_path / "webhook", tmp_path / "webhook.previous"
    file.write_text("new\n")
    settings = hub_of(tmp_path / "hub", "gitea", secrets_files=(file,))
    url, path = "https://git.example.com/acme/shop", "/webhooks/gitea/main"
    async with hub_client(settings) as hub:
        assert (await post(hub, gitea(url, ZERO, A, b"old"), path)).status_code == 401
        previous.write_text("old\n")
        first = await post(hub, gitea(url, ZERO, A, b"old"), path)
        assert (await hub.get(first.json()["inspect"])).json()["signed_by"] == str(previous)
        during = await source_view(hub)
        previous.write_text("")
        assert (await post(hub, gitea(url, A, B, b"old"), path)).status_code == 503
        previous.unlink()
        assert (await post(hub, gitea(url, A, B, b"old"), path)).status_code == 401
        assert (await post(hub, gitea(url, A, B, b"new"), path)).status_code == 202
        after = await source_view(hub)
    assert [one["place"] for one in during["secrets"]] == [str(file), str(previous)]
    assert [one["current"] for one in during["secrets"]] == [True, False]
    assert f"The forge still signs with {previous}; last at" in during["next"]
    assert ([one["place"] for one in after["secrets"]], after["next"]) == ([str(file)], "")
    troubles = [one for one in caplog.records if one.getMessage() == "secret not readable"]
    assert [one.__dict__["place"] for one in troubles] == [str(previous)]


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
