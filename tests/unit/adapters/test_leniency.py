"""What must not be refused: events of no interest, and texts that somebody cut."""

import json
from typing import Any

import pytest

from adapters import MalformedDelivery, Outcome, parse
from tests.support.samples import sample

JSON = {"content-type": "application/json"}
UNINTERESTING: dict[str, tuple[str, dict[str, str], Any]] = {
    "github issue": ("github", {"x-github-event": "issues"}, {"repository": {"id": "R_1"}}),
    "github create of a repository": (
        "github",
        {"x-github-event": "create"},
        {"ref": None, "ref_type": "repository", "repository": {}},
    ),
    "gitea issue": ("gitea", {"x-gitea-event": "issues"}, {"repository": {"id": -1}}),
    "gitlab issue": (
        "gitlab",
        {"x-gitlab-event": "Issue Hook"},
        {"object_kind": "issue", "project": {"id": "7"}, "repository": {"homepage": "h" * 2000}},
    ),
    "bitbucket pull request": (
        "bitbucket",
        {"x-event-key": "pullrequest:created"},
        {"repository": {"fullName": "acme/app"}},
    ),
    "bitbucket server pull request": (
        "bitbucket_server",
        {"x-event-key": "pr:opened"},
        {"repository": {"slug": "x"}},
    ),
    "bitbucket server project": (
        "bitbucket_server",
        {"x-event-key": "project:modified"},
        {"old": {"key": "A"}, "new": {"key": "A", "id": 84}},
    ),
    "azure work item": ("azure_devops", {}, {"eventType": "workitem.updated", "id": 7}),
    "azure build": ("azure_devops", {}, {"eventType": "build.complete", "resource": [1]}),
}


def read(provider: str, headers: dict[str, str], document: Any) -> Outcome:
    """What a delivery means."""
    return parse(provider, JSON | headers, json.dumps(document).encode())


@pytest.mark.parametrize("name", UNINTERESTING)
def test_an_event_of_no_interest_is_no_error(name: str) -> None:
    """Whatever its fields hold: forges switch off webhooks that are answered with errors."""
    outcome = read(*UNINTERESTING[name])
    assert not outcome.notify
    assert not outcome.changes


@pytest.mark.parametrize("name", UNINTERESTING)
def test_what_is_no_json_is_an_error_all_the_same(name: str) -> None:
    """Somebody else's bytes are no event."""
    provider, headers, _ = UNINTERESTING[name]
    with pytest.raises(MalformedDelivery):
        parse(provider, JSON | headers, b"{")


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        (r"\ud83d", "\N{REPLACEMENT CHARACTER}"),
        (r"\uDE00", "\N{REPLACEMENT CHARACTER}"),
        (r"\ud83d\ude00", "\N{GRINNING FACE}"),
        (r"\\\ud83d", "\\\N{REPLACEMENT CHARACTER}"),
    ],
    ids=["first half", "second half", "both", "after a backslash"],
)
def test_half_a_character_is_replaced(written: str, understood: str) -> None:
    """JSON.stringify writes such a half when a commit message was cut in the middle of one."""
    push = sample("handmade/github/push-branch")
    text = push.body.decode().replace('"modified":["main.go"]', f'"modified":["{written}"]')
    broken = text.replace('"message":"', '"message":"\\ud83d', 1)
    outcome = parse("github", push.headers, broken.encode())
    assert understood in outcome.paths


def test_half_a_character_behind_an_escaped_backslash_is_none() -> None:
    """A path that names an escape stays as it is."""
    push = sample("handmade/github/push-branch")
    text = push.body.decode().replace('["main.go"]', r'["a\\ud83d"]', 1)
    broken = text.replace('"message":"', '"message":"\\ud83d', 1)
    assert r"a\ud83d" in parse("github", push.headers, broken.encode()).paths


def test_a_push_hook_without_any_name_in_its_payload_is_a_push() -> None:
    """Long ago GitLab named the event in the header alone."""
    old = {
        **dict.fromkeys(("before", "after"), "a" * 40),
        "after": "b" * 40,
        "ref": "refs/heads/main",
        "project_id": 15,
        "repository": {"url": "git@gitlab.example.com:acme/app.git"},
    }
    outcome = read("gitlab", {"x-gitlab-event": "Push Hook"}, old)
    assert (outcome.kind, outcome.notify, outcome.event) == ("push", True, "Push Hook")
    assert outcome.repository is not None
    assert outcome.repository.keys == {"gitlab.example.com/acme/app"}


def test_a_push_to_bitbucket_may_name_its_repository_by_its_page_alone() -> None:
    """Some payloads have the full name under another key."""
    push = sample("handmade/bitbucket/push-three-changes")
    document = json.loads(push.body)
    name = document["repository"].pop("full_name")
    outcome = parse("bitbucket", push.headers, json.dumps(document).encode())
    assert outcome.repository is not None
    assert outcome.repository.full_name == name
    assert outcome.repository.clone_url == f"https://bitbucket.org/{name}.git"
