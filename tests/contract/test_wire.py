"""What hub and cd4sources say to each other: written down once, tested from both sides."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from adapters import Outcome, RefChange, Repository
from cd4sources.notifications import parse_notification
from cd4sources.reporting import StageReport, report_document
from hub.log.messages import event_of, message_of
from hub.log.values import Cursor
from hub.notification import new_events
from tests.support.deliveries import SHOP, A, B, push
from tests.support.hubs import hub_client, post, settings

CONTRACT = Path(__file__).parents[2] / "docs/contract"
SCHEMA = Draft202012Validator(
    json.loads((CONTRACT / "notification.schema.json").read_text()),
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A hub without a socket."""
    async with hub_client(settings(tmp_path, public_url="https://hub.example.com")) as client:
        yield client


async def notifications(hub: httpx.AsyncClient, *pushes: Any) -> list[dict[str, Any]]:
    """What a poll receives of some pushes."""
    start = (await hub.get("/v1/events")).headers["x-directcd-cursor"]
    for one in pushes:
        assert (await post(hub, one)).status_code == 202
    answer = await hub.get("/v1/events", params={"after": start})
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


@pytest.mark.parametrize(
    "pushes",
    [(push(A),), (push(A), push("0" * 40, A)), (push(A, ref="refs/tags/v1"), push(B, A))],
    ids=["new branch", "deleted branch", "tag and update"],
)
async def test_what_the_hub_says_is_what_the_schema_says(
    hub: httpx.AsyncClient, pushes: tuple[Any, ...]
) -> None:
    """Every notification is valid, and the subscriber understands it."""
    for document in await notifications(hub, *pushes):
        SCHEMA.validate(document)
        understood = parse_notification(json.dumps(document))
        assert understood.ref == document["data"]["ref"]
        assert understood.after == document["data"]["after"]
        assert understood.traceparent == document["traceparent"]
        assert understood.keys == frozenset(document["data"]["repository"]["keys"])


def moved(before: str | None = A, after: str | None = B, **changes: Any) -> RefChange:
    """A branch that was moved."""
    ref = {"ref": "refs/heads/main", "ref_type": "branch", "name": "main"}
    fields = {"created": before is None, "deleted": after is None, "forced": False}
    return RefChange(before=before, after=after, **(ref | fields | changes))


COMPLETE = Outcome(
    "push", notify=True, reason="", delivery_id="d", event="push", changes=(moved(),),
    repository=Repository(frozenset({"h.test/a"}), "a", 1, "https://h.test/a", "", "", "main"),
    truncated=False, paths=frozenset({"b", "a/c"}),
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"truncated": None},
        {"truncated": True},
        {"paths": frozenset()},
        {"paths": frozenset(map(str, range(201)))},
        {"paths": frozenset({"x" * (16 * 1024 + 1)})},
        {"changes": (moved(forced=True),)},
        {"changes": (moved(forced=None),)},
        {"changes": (moved(before=None),)},
        {"changes": (moved(after=None),)},
        {"changes": (moved(ref_type="tag"),)},
        {"changes": (moved(), moved())},
        {"kind": "test"},
    ],
    ids=lambda change: f"{next(iter(change))}",
)
def test_files_are_told_only_when_they_are_all(change: dict[str, Any]) -> None:
    """Sorted; null whenever one may be missing, or they are too many."""
    assert paths_of(COMPLETE) == ["a/c", "b"]
    assert paths_of(replace(COMPLETE, **change)) is None


def paths_of(outcome: Outcome) -> list[str] | None:
    """What the notification says of a delivery's files."""
    now = datetime.now(UTC)
    for event in new_events(outcome, origin="/webhooks/x/y", provider="x", received_at=now):
        message = message_of(Cursor(1, 1, 1), event.tail)
        document = json.loads(message)
        SCHEMA.validate(document)
        paths: list[str] | None = document["data"]["paths"]
        assert event_of(message).paths == (None if paths is None else frozenset(paths))
    return paths


def test_the_example_is_valid_and_understood() -> None:
    """Documentation that is run."""
    text = (CONTRACT / "notification.example.json").read_text()
    SCHEMA.validate(json.loads(text))
    assert parse_notification(text).keys == {"github.com/acme/shop"}


def test_the_schema_is_strict_enough_to_fail() -> None:
    """A notification without its cursor is not valid."""
    document = json.loads((CONTRACT / "notification.example.json").read_text())
    assert not SCHEMA.is_valid(document | {"id": "7"})
    assert not SCHEMA.is_valid(document | {"extra": 1})


async def test_the_hub_takes_what_a_server_reports(hub: httpx.AsyncClient) -> None:
    """A stage report comes back as a stage of the push's timeline."""
    [notification] = await notifications(hub, push(A, url=SHOP))
    now = datetime.now(UTC)
    report = StageReport(
        target="shop",
        version="v-0123456789ab",
        stage="built",
        result="ok",
        started_at=now,
        ended_at=now,
        traceparent=notification["traceparent"],
    )
    assert (await hub.post("/v1/reports", json=report_document(report))).status_code == 202
    [trace] = (await hub.get("/v1/targets/shop/timeline")).json()["traces"]
    assert (trace["commit"], trace["version"]) == (A, "v-0123456789ab")
    assert [stage["stage"] for stage in trace["stages"]] == ["received", "stored", "built"]


@pytest.mark.parametrize(
    "change",
    [
        {"traceparent": "none"},
        {"stage": "No Stage"},
        {"started_at": "2026-01-01T00:00:00"},
        {"ended_at": "0001-01-01T00:00:00+14:00"},
    ],
    ids=["no trace", "no stage", "naive time", "time before time"],
)
async def test_a_malformed_report_is_refused_with_its_place(
    hub: httpx.AsyncClient, change: dict[str, str]
) -> None:
    """400 and which field."""
    now = datetime.now(UTC).isoformat()
    good = {"target": "shop", "stage": "built", "result": "ok", "started_at": now,
            "ended_at": now, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}  # fmt: skip
    answer = await hub.post("/v1/reports", json=good | change)
    assert answer.status_code == 400
    assert answer.json()["detail"]
