"""What is said of a registered webhook."""

from typing import Any

import pytest

from directcd.hooks.judging import faults_of, judged
from hub.forges.values import Hook, Place

URL = "https://hub.test/webhooks/gitea/main"
EVENTS = ("delete", "push")


def hook(number: int = 1, url: str = URL, **changes: Any) -> Hook:
    """One that is as it should be, but for some changes."""
    values: dict[str, Any] = {
        "id": number,
        "place": Place("acme/shop"),
        "url": url,
        "events": EVENTS,
    }
    return Hook(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"is_active": False}, "inactive: it calls nothing"),
        ({"content_type": "form"}, "sends a form instead of JSON"),
        ({"events": ("push",)}, "is not told of delete"),
        ({"branch_filter": "main"}, "leaves out all branches but main"),
    ],
)
def test_each_fault_is_named(changes: dict[str, Any], fault: str) -> None:
    assert faults_of(hook(**changes), EVENTS) == [fault]


@pytest.mark.parametrize(
    "changes", [{}, {"events": ("*",)}, {"branch_filter": "*"}, {"branch_filter": "**"}]
)
def test_what_is_as_it_should_be_has_no_fault(changes: dict[str, Any]) -> None:
    assert faults_of(hook(**changes), EVENTS) == []


def test_the_oldest_is_ours_and_the_others_are_duplicates() -> None:
    found = judged([hook(7), hook(3)], URL, EVENTS)
    assert [one.faults for one in found] == [("a duplicate of webhook 3",), ()]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://old.test/webhooks/gitea/main", "calls another address of this source"),
        ("https://hub.test/webhooks/github/x", "calls another source of this hub: github/x"),
        ("https://ci.test/hook", ""),
        ("https://hub.test/elsewhere", ""),
    ],
)
def test_a_neighbour_that_is_nearly_ours_is_told(url: str, fault: str) -> None:
    [found] = judged([hook(url=url)], URL, EVENTS)
    assert not found.is_ours
    assert " ".join(found.faults).startswith(fault)


@pytest.mark.parametrize("url", ["https://a:b@chat.test/T0/xyzzy", "https://chat.test?key=xyzzy"])
def test_the_url_of_others_shows_its_host_alone(url: str) -> None:
    [found] = judged([hook(url=url)], URL, EVENTS)
    assert found.url == "https://chat.test/…"
    assert "xyzzy" not in str(found.as_json()) + str(found.cells())
