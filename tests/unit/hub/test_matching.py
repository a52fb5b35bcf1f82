"""Which subscriptions a push is for, and which it nearly is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.matching import NEAREST_LIMIT, Index
from hub.rules import Subscription
from hub.wants import make_want

NOW = datetime(2026, 5, 1, tzinfo=UTC)
URL = "github.com/acme/shop"
SHOP = frozenset({URL})
MAIN, OTHER = "refs/heads/main", "refs/heads/other"


def index(*refs: tuple[str, ...]) -> Index:
    """Subscriptions `s0`, `s1`, ... to these refs."""
    found = Index()
    for number, wanted in enumerate(refs):
        wants = tuple(make_want(URL, ref) for ref in wanted)
        found.put(Subscription(f"sub_{number}", f"s{number}", wants, NOW + timedelta(hours=1)))
    return found


def test_a_subscription_is_named_once() -> None:
    """Also though its repository has the same last word as itself."""
    assert index(("main",)).match(SHOP, [MAIN], NOW) == (["s0"], [])


def test_few_near_misses_are_named() -> None:
    """More would bury the one that matters."""
    matched, near = index(*[("dev",)] * 9).match(SHOP, [MAIN], NOW)
    assert (matched, len(near)) == ([], NEAREST_LIMIT)
    assert NEAREST_LIMIT == 3


def test_a_second_want_that_fits_is_enough() -> None:
    """The first one's ref is not in the push."""
    assert index(("dev", "main")).match(SHOP, [OTHER, MAIN], NOW)[0] == ["s0"]


def test_of_many_that_are_named_alike_the_wanted_one_is_found_and_few_others_named() -> None:
    """Thousands of repositories have the same last word; those of one's own come first."""
    found = Index()
    for number in range(2_000):
        want = make_want(f"git.example.com/team-{number}/docs", "main")
        found.put(Subscription(f"sub_{number}", f"s{number}", (want,), NOW + timedelta(hours=1)))
    keys = frozenset({"git.example.com/team-1234/docs"})
    matched, near = found.match(keys, [MAIN], NOW)
    assert (matched, [one.failed for one in near]) == (["s1234"], ["repository"] * NEAREST_LIMIT)
    assert len(found.match(keys, [OTHER], NOW)[1]) == NEAREST_LIMIT
    assert found.match(keys, [OTHER], NOW)[1][0].subscription == "s1234"


def test_what_is_wanted_now_is_what_is_found() -> None:
    """Also when only the lease has changed before."""
    found = index(("main",))
    [one] = found.all()
    found.put(replace(one, expires_at=NOW + timedelta(hours=2)))
    later = NOW + timedelta(minutes=90)
    assert found.match(SHOP, [MAIN], later)[0] == ["s0"]
    found.put(replace(one, wants=(make_want("github.com/acme/other"),)))
    assert found.match(SHOP, [MAIN], NOW) == ([], [])
    assert found.match(frozenset({"github.com/acme/other"}), [MAIN], NOW)[0] == ["s0"]
