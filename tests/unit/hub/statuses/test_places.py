"""At which forge a repository is spoken of, and what servers mean by their names for one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.settings import SourceSettings
from hub.sources import build_sources
from hub.statuses.claims import Claim
from hub.statuses.places import Names, Places
from hub.statuses.wording import Word
from hub.subscriptions import Subscription
from hub.wants import make_want

COMMIT = "c" * 40


def places(**sources: dict[str, Any]) -> Places:
    """Of sources with these settings."""
    settings = {name: SourceSettings(insecure=True, **one) for name, one in sources.items()}
    return Places(build_sources(settings), settings)


GITEA = {"provider": "gitea", "base_url": "https://git.example.com"}


@pytest.mark.parametrize(
    ("settings", "key", "path"),
    [
        ({"provider": "github"}, "github.com/acme/shop", "acme/shop"),
        ({"provider": "gitlab"}, "gitlab.com/acme/group/shop", "acme/group/shop"),
        (GITEA, "git.example.com/acme/shop", "acme/shop"),
        (
            {"provider": "gitea", "base_url": "https://git.example.com:3000/git"},
            "git.example.com/git/acme/shop",
            "acme/shop",
        ),
        (
            {**GITEA, "host_aliases": {"gitea:3000": "code.example.com"}},
            "code.example.com/acme/shop",
            "acme/shop",
        ),
        ({**GITEA, "repositories": ("git.example.com/acme/*",)}, "git.example.com/me/shop", None),
        (GITEA, "github.com/acme/shop", None),
        (GITEA, "git.example.com.evil.test/acme/shop", None),
        (GITEA, "git.example.com/shop", None),
        (GITEA, "git.example.com/acme/shop?x", None),
        ({"provider": "gitea"}, "git.example.com/acme/shop", None),
    ],
)
def test_a_repository_is_spoken_of_where_it_is(
    settings: dict[str, Any], key: str, path: str | None
) -> None:
    """By what follows the forge's address; and only by a source that may speak for it."""
    spot = places(main=settings).spot(frozenset({key}), COMMIT)
    assert (spot and spot.path) == path


def test_the_first_source_that_may_speak_does() -> None:
    """Two sources of one forge have their own repositories."""
    mine = {**GITEA, "repositories": ("git.example.com/me/*",)}
    spot = places(mine=mine, all=GITEA).spot(frozenset({"git.example.com/acme/shop"}), COMMIT)
    assert str(spot) == f"all acme/shop@{COMMIT}"


def names(*urls: str) -> Names:
    """Of what is subscribed to."""
    ends = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=1)
    wants = tuple(map(make_want, urls))
    return Names([Subscription("sub_1", "s1", wants, ends)])


def claim(name: str, *bounds: str, is_key: bool = False) -> Claim:
    """Of a repository that a server calls so."""
    return Claim(name, is_key, COMMIT, "1" * 32, Word("success", "built"), bounds)


SHOP, OTHER = "git.example.com/acme/shop", "git.example.com/me/shop"


@pytest.mark.parametrize(
    ("urls", "origins", "name", "expected"),
    [
        ([f"https://{SHOP}.git"], [], "shop", {SHOP}),
        ([f"https://{SHOP}.git"], [], "Shop", {SHOP}),
        ([], [SHOP], "shop", {SHOP}),
        ([f"https://{SHOP}"], [SHOP], "shop", {SHOP}),
        ([f"https://{SHOP}", f"https://{OTHER}"], [], "shop", set()),
        ([f"https://{SHOP}"], [OTHER], "shop", set()),
        ([f"https://{SHOP}", f"https://{OTHER}"], [], f"https://u:p@{OTHER}.git", {OTHER}),
        ([f"https://{SHOP}"], [], f"https://{OTHER}", set()),
        ([f"https://{SHOP}"], [], "till", set()),
        (
            ["https://git.example.com:3000/acme/shop", f"ssh://git@{SHOP}"],
            [],
            "shop",
            {SHOP, "git.example.com:3000/acme/shop"},
        ),
    ],
)
def test_a_name_that_may_be_that_of_several_is_nobodys(
    urls: list[str], origins: list[str], name: str, expected: set[str]
) -> None:
    """One URL may have several keys, and is one repository."""
    assert names(*urls).keys(claim(name), origins) == expected


def test_who_may_report_of_some_repositories_names_no_other() -> None:
    """The token's globs count; what a push has announced was judged before."""
    known = names(f"https://{SHOP}")
    assert known.keys(claim("shop", "git.example.com/acme/*"), []) == {SHOP}
    assert known.keys(claim("shop", "git.example.com/me/*"), []) == frozenset()
    assert known.keys(claim(OTHER, "git.example.com/acme/*", is_key=True), []) == {OTHER}
