"""Tokens: what is kept of them, and what they give."""

import re

import pytest

from cd4sources.tokens import EVERYTHING, Access, digest, find, new_token

READ, ADMIN = Access("r", frozenset({"read"})), Access("a", frozenset({"admin"}))


def test_a_token_can_be_recognised_and_not_guessed() -> None:
    """By people and secret scanners, from its beginning; the rest is 256 random bits."""
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"dcd_[A-Za-z0-9_-]{43}", token) for token in made)


def test_a_token_gives_what_its_digest_gives() -> None:
    """Each of several its own; nothing else gives anything."""
    one, other = new_token(), new_token()
    known = [(digest(one), READ), (digest(other), ADMIN)]
    assert (find(known, one), find(known, other)) == (READ, ADMIN)
    for wrong in (new_token(), "", digest(one), one[:-1], "é"):
        assert find(known, wrong) is None


def test_admin_may_look() -> None:
    """Who may change something may also see it, and not the other way round."""
    assert ADMIN.may("read")
    assert ADMIN.may("admin")
    assert READ.may("read")
    assert not READ.may("admin")


@pytest.mark.parametrize(
    ("globs", "allowed"),
    [
        ((), True),
        (("git.example.com/acme/*",), True),
        (("git.example.com/acme/shop", "git.example.com/acme/lib"), True),
        (("git.example.com/acme/shop",), False),
        (("*.example.com/other/*",), False),
    ],
)
def test_every_repository_must_be_allowed(globs: tuple[str, ...], *, allowed: bool) -> None:
    """One that is not hides the target."""
    keys = [frozenset({f"git.example.com/acme/{name}"}) for name in ("shop", "lib")]
    assert Access("", frozenset({"read"}), globs).covers(keys) is allowed
    assert EVERYTHING.covers(keys)
