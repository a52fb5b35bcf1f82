"""Announced commits: whether a notification promises that a target will show one."""

import pytest

from cd4sources.notifications import Notification
from cd4sources.sources.announced import Announced, announced_by
from cd4sources.targets import Repository

COMMIT = "c" * 40
LIB = Repository("https://h.example.com/lib", ref="refs/heads/dev")
APP = Repository("https://h.example.com/app")


def notification(name: str, ref: str, after: str | None = COMMIT) -> Notification:
    keys = frozenset({f"h.example.com/{name}"})
    return Notification(keys, ref, after, None, "delivery", "cursor", default_branch="main")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (notification("app", "refs/heads/main"), Announced(0, COMMIT)),
        (notification("lib", "refs/heads/dev"), Announced(1, COMMIT)),
        (notification("app", "refs/heads/side"), None),
        (notification("lib", "refs/heads/main"), None),
        (notification("app", "refs/heads/main", None), None),
        (notification("other", "refs/heads/main"), None),
    ],
)
def test_only_a_commit_of_the_followed_ref_is_waited_for(
    told: Notification, wanted: Announced | None
) -> None:
    """Without a ref the default branch is followed; a push elsewhere, or a deletion, shows none."""
    assert announced_by(told, (APP, LIB)) == wanted
