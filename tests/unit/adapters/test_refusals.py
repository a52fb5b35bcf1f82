"""Deliveries that cannot be used: what is wrong with each, and what to do about it."""

import json
from typing import Any

import pytest

from adapters import MalformedDelivery, Request
from adapters.registry import find
from tests.support.samples import sample

ZERO = "0" * 40
HASHES = {"ref": "refs/heads/main", "before": ZERO, "after": ZERO}
UPDATE = {"name": "refs/heads/main", "oldObjectId": ZERO, "newObjectId": ZERO}
NAMED = {"ref": {"id": "refs/heads/main"}, "fromHash": ZERO, "toHash": ZERO}


def refused(name: str, changes: dict[str, Any], *drop: str) -> MalformedDelivery:
    """The refusal of a sample whose payload was changed, and whose headers were left out."""
    sent = sample(name)
    headers = {key: text for key, text in sent.headers.items() if key.lower() not in drop}
    body = json.dumps({**json.loads(sent.text), **changes}).encode()
    with pytest.raises(MalformedDelivery) as refusal:
        find(sent.provider).parse(Request(headers, body))
    return refusal.value


def side(kind: str) -> dict[str, Any]:
    """One side of a change, as Bitbucket has it."""
    return {"type": kind, "name": "main", "target": {"hash": "a" * 40}}


@pytest.mark.parametrize(
    "resource",
    [None, {}, {"repository": {"id": "1"}}, {"refUpdates": []}, {"repository": None}],
    ids=str,
)
def test_azure_says_how_to_have_the_refs_sent(resource: object) -> None:
    """How much a service hook sends is a setting, and the default is not all."""
    refusal = refused("azure_devops/push", {"resource": resource})
    assert refusal.detail == "The payload does not say which refs changed."
    assert refusal.next_step == "Set the service hook's Resource details to send to All."


@pytest.mark.parametrize("event", ["", "é", "x" * 201, "a\nb"], ids=ascii)
def test_azures_event_must_be_a_name(event: str) -> None:
    """It stands in the payload, where anything can be."""
    assert "eventType" in refused("azure_devops/push", {"eventType": event}).detail


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({}, "neither an old nor a new ref"),
        ({"new": side("bookmark")}, "neither branch nor tag"),
        ({"new": {**side("branch"), "target": {"hash": "a" * 12}}}, "hash"),
        ({"new": {**side("branch"), "name": "a..b"}}, "ref"),
        ({"new": {"type": "branch", "name": "main"}}, "`target` - at `$.push.changes[1].new`"),
    ],
    ids=str,
)
def test_bitbuckets_change_must_have_a_ref(change: dict[str, Any], detail: str) -> None:
    """One wrong change refuses the delivery: half of a push is no push."""
    good = {"old": side("branch"), "new": side("branch")}
    refusal = refused("bitbucket/push-forced", {"push": {"changes": [good, change]}})
    assert detail in refusal.detail


@pytest.mark.parametrize("name", ["bitbucket/push-forced", "bitbucket_server/push-four-changes"])
def test_bitbuckets_event_is_a_header(name: str) -> None:
    """Without it nobody knows what the payload is."""
    assert "X-Event-Key" in refused(name, {}, "x-event-key").detail


def test_gitlabs_event_is_a_header_or_in_the_payload() -> None:
    """When it is in neither, nobody knows what the payload is."""
    unnamed = {"object_kind": None, "event_name": None}
    assert "X-Gitlab-Event" in refused("gitlab/push-with-token", unnamed, "x-gitlab-event").detail


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gitlab/push-with-token", {"commits": [{}] * 50_001}),
        ("gitlab/system-hook-repository-update", {"changes": [HASHES] * 10_001}),
        ("bitbucket/push-forced", {"push": {"changes": [{}] * 10_001}}),
        ("bitbucket_server/push-four-changes", {"changes": [NAMED] * 10_001}),
        ("azure_devops/push", {"resource": {"refUpdates": [UPDATE] * 10_001}}),
        ("github/push-branch", {"commits": [{}] * 50_001}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lists_have_an_end(name: str, changes: dict[str, Any]) -> None:
    """What a stranger sends costs bounded memory."""
    assert "Expected `array` of length <= " in refused(name, changes).detail


@pytest.mark.parametrize(
    "payload",
    [{}, {"ref": "main"}, {"repository": "https://git.example/a/b"}, {"event": "test"}],
    ids=str,
)
@pytest.mark.parametrize("provider", ["generic", "standard_webhooks"])
def test_a_hint_needs_repository_and_ref(provider: str, payload: dict[str, str]) -> None:
    """And says how to give them."""
    request = Request({"content-type": "application/json"}, json.dumps(payload).encode())
    with pytest.raises(MalformedDelivery, match="names no repository and ref") as refusal:
        find(provider).parse(request)
    assert refusal.value.next_step.startswith('Send {"repository": ')


def test_a_hint_tells_unsaid_from_zero() -> None:
    """Only zeros mean that the ref was not there, or is gone."""
    whose = {"repository": "https://git.example/a/b", "ref": "refs/heads/main"}
    cases = {(None, None): "", ("", ZERO): "deleted", (ZERO, "a" * 40): "created"}
    for (before, after), state in cases.items():
        hashes = {"before": before or None, "after": after or None}
        request = Request({"content-type": "application/json"}, json.dumps(whose | hashes).encode())
        change = find("generic").parse(request).changes[0]
        assert (change.deleted, change.created) == (state == "deleted", state == "created")
