"""Which refs stand elsewhere than anybody has told."""

from datetime import UTC, datetime, timedelta

from hub.forges.git_refs import Tip
from hub.log.values import Head
from hub.recovery.following import Followed
from hub.recovery.seen import Heads, Looked, looked_at, missed

MAIN = "refs/heads/main"
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(hours=1)
A, B, C = "a" * 40, "b" * 40, "c" * 40
KEY = "git.example.com/acme/shop"
SHOP = Followed("acme/shop", frozenset({KEY, "git.example.com:3000/acme/shop"}), (MAIN,))


def _heads(*heads: tuple[str, str | None, datetime]) -> Heads:
    return Heads(Head(f"{key}#{MAIN}", after, at) for key, after, at in heads)


def _found(
    tips: dict[str, Tip], heads: Heads, looked: Looked | None = None
) -> list[tuple[str, str | None, str | None]]:
    return [(one.ref, one.before, one.after) for one in missed(SHOP, tips, heads, looked)]


def test_nothing_is_missed_of_what_nothing_was_known() -> None:
    assert _found({MAIN: Tip(A)}, _heads()) == []


def test_a_ref_that_stands_elsewhere_than_its_newest_delivery_said_is_missed() -> None:
    assert _found({MAIN: Tip(B)}, _heads((KEY, A, EARLY))) == [(MAIN, A, B)]
    assert _found({MAIN: Tip(A)}, _heads((KEY, A, EARLY))) == []


def test_the_newest_of_all_names_of_a_repository_counts() -> None:
    heads = _heads((KEY, A, EARLY), ("git.example.com:3000/acme/shop", B, LATE))
    assert _found({MAIN: Tip(B)}, heads) == []
    assert _found({MAIN: Tip(A)}, heads) == [(MAIN, B, A)]


def test_what_was_looked_at_later_than_it_was_told_counts_more() -> None:
    looked = Looked(LATE, (MAIN,), {MAIN: B})
    assert _found({MAIN: Tip(B)}, _heads((KEY, A, EARLY)), looked) == []
    looked = Looked(EARLY, (MAIN,), {MAIN: B})
    assert _found({MAIN: Tip(B)}, _heads((KEY, A, LATE)), looked) == [(MAIN, A, B)]


def test_a_ref_that_is_gone_is_missed_unless_it_was_known_to_be() -> None:
    assert _found({}, _heads((KEY, A, EARLY))) == [(MAIN, A, None)]
    assert _found({}, _heads((KEY, None, EARLY))) == []


def test_a_new_ref_is_missed_where_one_has_looked_for_it_before() -> None:
    assert _found({MAIN: Tip(A)}, _heads(), Looked(EARLY, (MAIN,), {})) == [(MAIN, None, A)]
    other = Looked(EARLY, ("refs/heads/release/*",), {})
    assert _found({MAIN: Tip(A)}, _heads(), other) == []


def test_a_tag_is_where_its_object_or_its_commit_was_told_to_be() -> None:
    tips = {MAIN: Tip(A, B)}
    assert _found(tips, _heads((KEY, A, EARLY))) == []
    assert _found(tips, _heads((KEY, B, EARLY))) == []
    assert _found(tips, _heads((KEY, C, EARLY))) == [(MAIN, C, A)]


def test_refs_that_nobody_follows_are_not_remembered() -> None:
    looked = looked_at(SHOP, {MAIN: Tip(A), "refs/heads/other": Tip(B)}, EARLY)
    assert looked.tips == {MAIN: A}
