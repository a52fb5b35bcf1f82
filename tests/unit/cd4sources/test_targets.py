"""Targets: what a configured repository means, and which target a set of repositories names."""

from itertools import permutations

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.sources.credentials import Login
from cd4sources.targets import (
    AmbiguousTarget,
    BadTarget,
    Repository,
    Target,
    UnknownTarget,
    find,
    variables_of,
)

PASSWORD = "pa:ss/word@1"


def repository(url: str, ref: str = "", replaces: str = "") -> RepositorySettings:
    return RepositorySettings(url=SecretStr(url), ref=ref, replaces=replaces)


def target(name: str, *repositories: RepositorySettings) -> Target:
    return Target.from_settings(TargetSettings(name=name, repositories=repositories))


SHOP = target("shop", repository("https://u:p@git.example.com/acme/shop.git"))
PAIR = target(
    "pair",
    repository("https://git.example.com/acme/app", ref="main"),
    repository("https://git.example.com/me/lib", replaces="git.example.com/acme/lib"),
)
DEV = target("dev", repository("https://git.example.com/acme/multi", ref="dev"))
MAIN = target("main", repository("https://git.example.com/acme/multi", ref="main"))
TARGETS = (SHOP, PAIR, DEV, MAIN)


def test_credential_leaves_the_url() -> None:
    """User and password are taken out of the URL, percent-decoded, and masked in every repr."""
    one = Repository.from_settings(repository("https://me:pa%3Ass%2Fword%401@h.example.com/x"))
    assert one.url == "https://h.example.com/x"
    assert one.credential is not None
    assert one.credential.login() == Login("me", PASSWORD)
    assert PASSWORD not in repr(one)


def test_token_without_password_is_a_credential() -> None:
    """A token in the user's place leaves the URL as well."""
    one = Repository.from_settings(repository("https://token@h.example.com/x"))
    assert one.url == "https://h.example.com/x"
    assert one.credential is not None
    assert one.credential.user == "token"


def test_ssh_user_stays_in_the_url() -> None:
    """An ssh user is part of the address, not a secret."""
    one = Repository.from_settings(repository("ssh://git@h.example.com/x"))
    assert (one.url, one.credential) == ("ssh://git@h.example.com/x", None)


@pytest.mark.parametrize("url", ["/srv/git/app", "/srv/git/../git/app/", "file:///srv/git/app"])
def test_local_path_has_a_key(url: str) -> None:
    """Repositories of this machine are told apart by their absolute path."""
    one = Repository.from_settings(repository(url))
    assert one.keys == frozenset({"file:/srv/git/app"})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h.example.com/acme/shop.git", "shop"),
        ("git@h.example.com:shop.git", "shop"),
        ("/srv/shop/", "shop"),
        ("https://h.example.com/a/..", "root"),
    ],
)
def test_name_is_the_last_part_of_the_path(url: str, name: str) -> None:
    """The checkout beside the first is named like the repository, and stays inside its place."""
    assert Repository.from_settings(repository(url)).name == name


@pytest.mark.parametrize(
    ("repos", "wanted"),
    [
        (["https://git.example.com/acme/shop"], SHOP),
        (["git@git.example.com:Acme/Shop.git"], SHOP),
        (["https://git.example.com/acme/app", "https://git.example.com/me/lib"], PAIR),
        (["https://git.example.com/me/lib", "https://git.example.com/acme/app"], PAIR),
        (["git.example.com/acme/app", "git.example.com/me/lib=git.example.com/acme/lib"], PAIR),
        (["git.example.com/acme/app", "git.example.com/acme/lib=git.example.com/me/lib"], PAIR),
    ],
)
def test_target_is_found_by_its_repositories(repos: list[str], wanted: Target) -> None:
    """Any order and spelling of the whole set finds it."""
    assert find(TARGETS, repos) is wanted


@pytest.mark.parametrize(
    "repos",
    [
        ["https://git.example.com/acme/app"],
        ["https://git.example.com/acme/app", "git.example.com/me/lib=git.example.com/other/lib"],
        ["https://git.example.com/acme/shop", "https://git.example.com/acme/shop"],
        ["https://evil.example.com/git.example.com/acme/shop"],
    ],
)
def test_another_set_is_unknown_and_names_the_nearest(repos: list[str]) -> None:
    """A part, more, or another replacement is another set."""
    with pytest.raises(UnknownTarget, match="the nearest is"):
        find(TARGETS, repos)


def test_unknown_target_masks_a_password_that_was_asked() -> None:
    """What a client puts into its question does not come back with a secret."""
    with pytest.raises(UnknownTarget) as raised:
        find(TARGETS, [f"https://me:{PASSWORD.replace('/', '')}@h.example.com/x"])
    assert "pa:ss" not in str(raised.value)


def test_ref_tells_targets_of_one_repository_apart() -> None:
    """Two branches of one repository are two targets; without a ref the question is ambiguous."""
    repos = ["https://git.example.com/acme/multi"]
    assert find(TARGETS, repos, ref="dev") is DEV
    with pytest.raises(AmbiguousTarget, match="dev, main"):
        find(TARGETS, repos)


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (("https://a/x/lib", "https://b/y/app"), {"LIB", "APP"}),
        (("https://a/x/lib", "https://b/y/lib.git"), {"X_LIB", "Y_LIB"}),
        (("https://a/x/lib", "git@b:x/lib", "ssh://c:22/y/lib"), {"A_X_LIB", "B_X_LIB", "Y_LIB"}),
        (
            ("https://a/x/lib", "https://a/y/lib", "https://a/z/x-lib"),
            {"A_X_LIB", "Y_LIB", "X_LIB"},
        ),
        (("/srv/one/lib", "/srv/two/lib"), {"ONE_LIB", "TWO_LIB"}),
    ],
)
def test_siblings_of_one_name_are_told_apart(urls: tuple[str, ...], names: set[str]) -> None:
    """By as much of what stands before the name as it takes, whatever their order."""
    for order in permutations(urls):
        made = target("x", *map(repository, ("https://h/lib", *order)))
        found = {name: one.url for name, one in variables_of(made.repositories[1:]).items()}
        assert {name.removeprefix("DIRECTCD_REPO_") for name in found} == names
        assert sorted(found.values()) == sorted(urls)


def test_replaced_names_are_told_apart_and_yield_to_own_ones() -> None:
    """A sibling is also found by the name of what it replaces, unless that is another's name."""
    ours = [
        repository("https://h/me/fork", replaces="h.example.com/a/lib"),
        repository("https://h/me/other", replaces="h.example.com/b/lib"),
        repository("https://h/me/log", replaces="h.example.com/b/fork"),
    ]
    found = variables_of(target("x", repository("/app"), *ours).repositories[1:])
    names = {name.removeprefix("DIRECTCD_REPO_"): one.name for name, one in found.items()}
    own = {"FORK": "fork", "OTHER": "other", "LOG": "log"}
    assert names == {**own, "A_LIB": "fork", "B_LIB": "other"}


@pytest.mark.parametrize(
    "urls",
    [
        ("https://a/x/lib", "git@a:X/lib.git"),
        ("ssh://me@a/x/lib", "ssh://you@a/x/lib"),
        ("https://a/x-y/lib", "https://a/x_y/lib"),
    ],
)
def test_siblings_that_cannot_be_told_apart_are_refused(urls: tuple[str, ...]) -> None:
    """One repository at two refs, or names that no variable can spell in two ways."""
    with pytest.raises(BadTarget, match="told apart from another repository beside the first"):
        target("x", *map(repository, ("https://h/app", *urls)))


def test_unbalanced_quote_in_build_words_is_refused() -> None:
    """Words that a shell could not split are an error that names the target."""
    settings = TargetSettings(name="x", repositories=(repository("/a"),), build="it's")
    with pytest.raises(BadTarget, match="target x"):
        Target.from_settings(settings)


def test_the_nearest_is_cheap_and_short() -> None:
    """Whatever strangers ask for, among however many; nobody else is served meanwhile."""
    targets = [
        target(f"t{n}", repository(f"https://git.example.com/acme/project-{n}"))
        for n in range(1000)
    ]
    with pytest.raises(UnknownTarget, match=r"the nearest is t777: \S+ at HEAD$"):
        find(targets, ["https://git.example.com/amce/project-777"])
    with pytest.raises(UnknownTarget) as refused:
        find(targets, ["".join(map(chr, range(33, 127))) * 600])
    assert len(str(refused.value)) < 500
