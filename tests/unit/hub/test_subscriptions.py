"""Which pushes a subscription takes, and what it says when it does not."""

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.log.base import SubscriptionRow
from hub.rules import Mismatch, Subscription, from_row, make_callback, mismatch, to_row
from hub.wants import full_ref, make_want

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


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("services/shop/**", "services/shop/a/b.py", True),
        ("services/shop/**", "services/shopping/a.py", False),
        ("services/shop/", "services/shop/a/b.py", True),
        ("/go.mod", "go.mod", True),
        ("go.mod", "lib/go.mod", False),
        ("*.md", "docs/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "docs/a/b.md", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/**/z", "a/b/c/zz", False),
        ("**", "anything/at/all", True),
        ("docs/?.md", "docs/a.md", True),
        ("[ab]/x", "b/x", True),
        ("a", "a/b", False),
    ],
)
def test_path_patterns(pattern: str, path: str, *, matches: bool) -> None:
    """Segment by segment; only two stars go over a slash."""
    want = make_want("github.com/acme/shop", "", (pattern,))
    assert want.takes(SHOP, MAIN, frozenset({path})) is matches
    assert want.takes(SHOP, MAIN, frozenset({path, "elsewhere/x"})) is matches or pattern == "**"


def test_a_hostile_path_pattern_takes_no_time() -> None:
    """No backtracking: what a subscriber writes must not stall the hub."""
    want = make_want("github.com/acme/shop", "", ("/".join(["**", "*a*a*a*"] * 60),))
    long = "/".join(["a" * 60] * 60)
    started = time.perf_counter()
    want.takes(SHOP, MAIN, frozenset({f"{long}/{n}" for n in range(10)}))
    assert time.perf_counter() - started < 1


def test_a_push_of_unknown_files_is_taken() -> None:
    """Rather one hint too many than one too few."""
    wanted = replace(subscription(), wants=(make_want("github.com/acme/shop", "", ("docs/**",)),))
    assert mismatch(wanted, SHOP, MAIN, NOW, None) is None
    assert mismatch(wanted, SHOP, MAIN, NOW, frozenset({"docs/a", "src/b"})) is None
    found = mismatch(wanted, SHOP, MAIN, NOW, frozenset({"src/b"}))
    assert found == Mismatch("s1", "paths", "docs/**", "src/b")


def test_a_paused_subscription_takes_nothing_and_says_what_to_do() -> None:
    """It is paused, whatever its lease."""
    found = mismatch(replace(subscription(), paused=True), SHOP, MAIN, NOW + timedelta(days=1))
    assert found == Mismatch("s1", "paused", "POST /v1/subscriptions/sub_1/resume", "paused")


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://hooks.test/", ""),
        ("https://", ""),
        ("https://ada:pw@hooks.test/", ""),
        ("https://hooks.test:99999/", ""),
        ("https://hooks.test/", "hunter2hunter2hunter2hunter2"),
        ("https://hooks.test/", "whsec_c2hvcnQ="),
        ("https://hooks.test/", "whsec_!!!"),
    ],
)
def test_a_callback_that_cannot_be_used_is_refused(url: str, secret: str) -> None:
    """And the refusal does not repeat the secret."""
    with pytest.raises(ValueError, match=r".") as refused:
        make_callback(url, secret)
    assert not secret or secret not in str(refused.value)


def test_a_callbacks_secret_shows_nowhere() -> None:
    """It is made when none is given, kept in the row, and left out of every representation."""
    callback = make_callback("https://hooks.test/", "")
    secret = callback.secret.get_secret_value()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    wanted = replace(subscription(), callback=callback)
    assert secret not in repr(wanted)
    assert from_row(to_row(wanted)) == wanted


def test_rows_of_earlier_versions_are_understood() -> None:
    """And what is none is an error that a registry can say."""
    body = {"repositories": [{"url": "https://github.com/acme/shop", "ref": "refs/heads/main"}]}
    found = from_row(SubscriptionRow("sub_1", "s1", body, NOW))
    assert (found.paused, found.callback, found.wants[0].paths) == (False, None, ())
    with pytest.raises(ValueError, match="not a subscription"):
        from_row(SubscriptionRow("sub_1", "s1", {"repositories": [{"link": "x"}]}, NOW))


def test_short_branches_are_completed_and_full_refs_kept() -> None:
    """`main` is a branch, `tags/v1` a tag; patterns likewise."""
    written = ("main", "refs/tags/v1", "", "tags/v*", "release/*")
    meant = [MAIN, "refs/tags/v1", "", "refs/tags/v*", "refs/heads/release/*"]
    assert [full_ref(ref) for ref in written] == meant
