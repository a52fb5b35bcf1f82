"""Which subscriptions a push is for, and which it nearly is."""

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
