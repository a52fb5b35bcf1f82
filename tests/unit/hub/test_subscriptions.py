"""Which pushes a subscription takes, and what it says when it does not."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.subscriptions import Subscription, full_ref, make_want, mismatch

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SHOP = frozenset({"github.com/acme/shop"})
MAIN = "refs/heads/main"


def subscription(url: str = "https://github.com/acme/shop", ref: str = "") -> Subscription:
    """A subscription that is good for a minute."""
    return Subscription("sub_1", "s1", (make_want(url, ref),), NOW + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("git@GitHub.com:Acme/Shop.git", ""),
        ("ssh://git@github.com:22/acme/shop", "main"),
        ("github.com/acme/shop", "refs/heads/*"),
    ],
    ids=["scp form, any ref", "ssh, branch", "bare, pattern"],
)
def test_any_spelling_of_the_repository_takes_the_push(url: str, ref: str) -> None:
    """Keys decide, not the text of the URL."""
    assert mismatch(subscription(url, ref), SHOP, MAIN, NOW) is None


@pytest.mark.parametrize(
    ("url", "ref", "failed"),
    [
        ("https://github.com/acme/shop2", "", "repository"),
        ("https://evil.test/github.com/acme/shop", "", "repository"),
        ("https://github.com/acme/shop", "mai", "ref"),
        ("https://github.com/acme/shop", "refs/tags/*", "ref"),
    ],
)
def test_the_first_failed_condition_is_named(url: str, ref: str, failed: str) -> None:
    """Repository before ref, never by suffix or prefix."""
    found = mismatch(subscription(url, ref), SHOP, MAIN, NOW)
    assert found is not None
    assert found.failed == failed


def test_a_lease_that_ended_takes_nothing() -> None:
    """Nobody who has gone away counts as told."""
    found = mismatch(subscription(), SHOP, MAIN, NOW + timedelta(minutes=1))
    assert found is not None
    assert found.failed == "lease"


def test_a_local_repository_can_be_wanted_though_no_forge_announces_it() -> None:
    """One list of targets works with and without a forge."""
    assert make_want("/srv/git/shop.git").keys == {"file:/srv/git/shop.git"}
    assert make_want("file:///srv/git/shop.git").keys == {"file:/srv/git/shop.git"}


@pytest.mark.parametrize("url", ["", "shop", "https://", "::::"])
def test_what_names_no_repository_is_an_error(url: str) -> None:
    """A typo must not become a subscription to nothing."""
    with pytest.raises(ValueError, match="names no repository"):
        make_want(url)


def test_short_branches_are_completed_and_full_refs_kept() -> None:
    """`main` is a branch; tags are written in full."""
    assert [full_ref(r) for r in ("main", "refs/tags/v1", "")] == [MAIN, "refs/tags/v1", ""]
