"""Which pushes a subscription takes, and what it says when it does not."""

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.log.values import SubscriptionRow
from hub.rules import Mismatch, Subscription, from_row, make_callback, mismatch, to_row
from hub.wants import any_takes, check_number, full_ref, make_want

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
        ("a/**", "a", True),
        ("**/a/**/z", "a/b/a/z", True),
        ("**/a/**/z", "x/a/b/c/z", True),
        ("**/a/**/b/**/z", "a/x/b/y/z", True),
        ("**/a/**/b/**/z", "b/x/a/y/z", False),
        ("**/**/z", "z", True),
        ("[!a]/x", "b/x", True),
        ("a[", "a[", True),
    ],
)
def test_path_patterns(pattern: str, path: str, *, matches: bool) -> None:
    """Segment by segment; only two stars go over a slash."""
    want = make_want("github.com/acme/shop", "", (pattern,))
    assert any_takes([want], SHOP, MAIN, frozenset({path})) is matches
    found = any_takes([want], SHOP, MAIN, frozenset({path, "elsewhere/x"}))
    assert found is matches or pattern == "**"


def test_a_hostile_path_pattern_takes_no_time() -> None:
    """No backtracking: what a subscriber writes must not stall the hub."""
    want = make_want("github.com/acme/shop", "", ("/".join(["**", "*a*a*a*"] * 60),))
    long = "/".join(["a" * 60] * 60)
    started = time.thread_time()
    any_takes([want], SHOP, MAIN, frozenset({f"{long}/{n}" for n in range(10)}))
    assert time.thread_time() - started < 1


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
        ("https://hooks.test/#a", ""),
        (f"https://hooks.test/{'a' * 2000}", ""),
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


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://hooks.test:x/", "its port is no number from 1 to 65535"),
        ("https://hooks.test:99999/", "its port is no number from 1 to 65535"),
        ("https://hooks.test:0/", "its port is no number from 1 to 65535"),
        ("https://[::1/", "its host is no name and no IP address"),
        (f"https://{'a' * 64}.test/", "its host is no name"),
        ("https://a..test/", "its host is no name"),
    ],
)
def test_a_callbacks_url_is_refused_in_the_hubs_words(url: str, said: str) -> None:
    """Not in those of Python's own errors; what no resolver takes is refused as well."""
    with pytest.raises(ValueError, match=f"^the callback's url: {said}$"):
        make_callback(url, "")


@pytest.mark.parametrize(
    "ref",
    [
        "release/[",
        "release/[a",
        "a..b",
        "..//",
        "a//b",
        "/main",
        "a b",
        "a\x07",
        "a\x7f",
        "a~1",
        "a^",
        "a:b",
        "a\\b",
        "main/",
        "main.lock",
        "a.lock/b",
        "main.",
        ".main",
        "a/.b",
        "a@{1}",
        "*" + "?*" * 10,
    ],
)
def test_a_ref_that_git_forbids_is_refused(ref: str) -> None:
    """It would be a subscription to nothing; so would a pattern that takes long to read."""
    with pytest.raises(ValueError, match="ref"):
        make_want("github.com/acme/shop", ref)


@pytest.mark.parametrize("ref", ["*", "release/*", "v?", "v[0-9]*", "v[!a]", "tags/v*", "a]", "ü"])
def test_refs_and_patterns_that_git_may_have_are_taken(ref: str) -> None:
    """Patterns as well as names."""
    assert make_want("github.com/acme/shop", ref).ref == full_ref(ref)


def test_a_subscription_has_so_many_patterns_and_no_more() -> None:
    """A thousand of each kind in all; full refs are no patterns."""
    url = "github.com/acme/shop"
    paths = [make_want(url, "", tuple(f"{m}/{n}" for n in range(100))) for m in range(10)]
    refs = [make_want(url, f"r{n}/*") for n in range(1_000)]
    names = [make_want(url, f"r{n}") for n in range(2_000)]
    check_number([*paths, *refs, *names])
    with pytest.raises(ValueError, match="1001 path patterns"):
        check_number([*paths, make_want(url, "", ("x",))])
    with pytest.raises(ValueError, match="1001 ref patterns"):
        check_number([*refs, make_want(url, "x*")])


@pytest.mark.parametrize(
    "pattern",
    ["**/*zz{}*", "*[f]*/**/?*x{}", "**/*?[a-z]*{}", "**/f?l?/**/*e*?*[{}]zz", "services/x{}/**"],
)
def test_the_largest_subscription_does_not_hold_up_the_hub(pattern: str) -> None:
    """A thousand patterns, in as many wants, and two hundred files."""
    url = "github.com/acme/shop"
    wants = [make_want(url, "", (pattern.format(n),)) for n in range(1_000)]
    paths = frozenset(f"d/e/f/g/h/i/j/file{n}/" + "services/" * 3 + "t.txt" for n in range(200))
    started = time.process_time()
    any_takes(wants, SHOP, MAIN, paths)
    assert time.process_time() - started < 1  # 50 ms; without a limit it is half a minute


def test_what_would_take_long_to_compare_is_told() -> None:
    """Rather one hint too many: the answer is no only when every pattern was compared."""
    url, path = "github.com/acme/shop", "/".join(["file"] * 20)
    few = make_want(url, "", ("**/*?x[0]",))
    many = [make_want(url, "", (f"**/?i*[{n % 10}]" + "?" * (n // 10),)) for n in range(1_000)]
    paths = frozenset(f"{path}{n}" for n in range(200))
    assert not any_takes([few], SHOP, MAIN, paths)
    assert any_takes(many, SHOP, MAIN, frozenset({f"{path}/{n}/a" for n in range(200)}))


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
