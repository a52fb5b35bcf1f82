"""Which source and place a person's words mean, and what is said when it is none."""

from typing import Any

import pytest

from cd4sources.settings import TargetSettings
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.hooks.choosing import of_organisation, of_repository, of_targets, webhook_url
from hub.settings import HubSettings

GITEA = {"provider": "gitea", "base_url": "https://git.example.com:3000", "insecure": True}
GITHUB = {"provider": "github", "insecure": True}


def hub(**sources: dict[str, Any]) -> HubSettings:
    """A hub with these sources."""
    return HubSettings.model_validate({"public_url": "https://hub.test", "sources": sources})


@pytest.mark.parametrize(
    ("words", "source", "path"),
    [
        ("https://github.com/Acme/Shop.git", "hub", "Acme/Shop"),
        ("git@github.com:Acme/Shop.git", "hub", "Acme/Shop"),
        ("github.com/acme/shop", "hub", "acme/shop"),
        ("https://ada:secret@git.example.com:3000/Acme/shop", "tea", "Acme/shop"),
        ("ssh://git@git.example.com:2222/acme/shop.git", "tea", "acme/shop"),
        ("http://gitea:3000/acme/shop.git", "tea", "acme/shop"),
    ],
)
def test_the_source_whose_forge_has_the_host_is_meant(words: str, source: str, path: str) -> None:
    """By all its names; the path is left in the case in which it was written."""
    settings = hub(hub=GITHUB, tea=GITEA | {"host_aliases": {"gitea:3000": "git.example.com"}})
    chosen = of_repository(settings, words)
    assert (chosen.source, chosen.place.name) == (source, path)
    assert chosen.url == f"https://hub.test/webhooks/{chosen.settings.provider}/{source}"


@pytest.mark.parametrize("words", ["acme/shop", "group/sub/shop", "/acme/shop.git/", "my.org/shop"])
def test_a_path_alone_needs_one_source(words: str) -> None:
    """Of several one must be named."""
    assert of_repository(hub(tea=GITEA), words).source == "tea"
    assert of_repository(hub(hub=GITHUB, tea=GITEA), words, "hub").source == "hub"
    with pytest.raises(ConfigError, match="say --source, one of hub, tea"):
        of_repository(hub(hub=GITHUB, tea=GITEA), words)


def test_of_several_sources_of_a_forge_the_one_that_may_speak_for_it_is_meant() -> None:
    """None that may: the line to write is said."""
    ours, theirs = ({"repositories": [f"github.com/{name}/*"]} for name in ("acme", "other"))
    settings = hub(ours=GITHUB | ours, theirs=GITHUB | theirs)
    assert of_repository(settings, "github.com/Acme/shop").source == "ours"
    with pytest.raises(ConfigError, match=r'repositories = \["github.com/third/shop", …\]'):
        of_repository(settings, "github.com/third/shop")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            "https://gitlab.com/acme/shop",
            '[hub.sources."gitlab.com"]\nprovider = "gitlab"\nsecrets',
        ),
        ("http://gitea.lan:3000/a/b", 'provider = "gitea"\nbase_url = "http://gitea.lan:3000"\n'),
        ("git@forgejo.lan:a/b", 'provider = "forgejo"\nbase_url = "https://forgejo.lan"\n'),
    ],
)
def test_a_host_of_no_source_is_told_with_the_lines_to_write(words: str, lines: str) -> None:
    """Such as `directcd init` guesses them."""
    with pytest.raises(ConfigError) as error:
        of_repository(hub(main=GITHUB), words)
    assert lines in str(error.value)


def test_a_source_whose_address_is_not_known_is_told_to_name_it() -> None:
    """It may be the one."""
    said = r'add to \[hub.sources.main\], if it does:\s+base_url = "https://gitea.lan"'
    with pytest.raises(ConfigError, match=said):
        of_repository(hub(main={"provider": "gitea", "insecure": True}), "git@gitea.lan:a/b")


def test_words_that_are_no_repository_are_told() -> None:
    """And a source that is not there."""
    with pytest.raises(ConfigError, match="that is no repository"):
        of_repository(hub(main=GITHUB), "shop")
    with pytest.raises(ConfigError, match="there is no source 'x'"):
        of_organisation(hub(main=GITHUB), "acme", "x")


def test_every_repository_of_the_targets_is_meant_once() -> None:
    """What no source stands for is left out, and what is a path of this machine."""
    config = configured("https://github.com/Acme/Shop", "git@github.com:acme/shop", "/srv/lib.git")
    found, left = of_targets(config)
    assert [one.place.name for one in found] == ["Acme/Shop"]
    assert left == []
    found, left = of_targets(configured("github.com/a/b", "https://codeberg.org/c/d"))
    assert [one.place.name for one in found] == ["a/b"]
    assert left[0].startswith("no source of directcd.toml stands for codeberg.org")


def configured(*urls: str) -> Config:
    """Targets, and one source."""
    targets = [
        TargetSettings.model_validate({"name": f"t{number}", "repositories": [{"url": url}]})
        for number, url in enumerate(urls)
    ]
    return Config.model_construct(hub=hub(main=GITHUB), target=tuple(targets))


def test_targets_of_no_forge_are_told() -> None:
    """A repository must be named then."""
    with pytest.raises(ConfigError, match="name a REPOSITORY, or --org"):
        of_targets(configured("/srv/lib.git"))
    with pytest.raises(ConfigError, match=r"directcd.toml needs \[hub\]"):
        of_targets(Config.model_construct(hub=None, target=()))


def test_an_organisation_is_told_of_all_its_repositories() -> None:
    """A repository of itself alone."""
    settings = hub(main=GITHUB)
    organisation, shop = of_organisation(settings, "Acme"), of_repository(settings, "acme/shop")
    assert organisation.is_told_of("github.com/acme/lib")
    assert not organisation.is_told_of("github.com/acme2/lib")
    assert shop.is_told_of("gitea:3000/acme/shop")
    assert not shop.is_known_by("gitea:3000/acme/shop")
    assert not shop.is_told_of("github.com/acme/shop2")


def test_the_url_needs_the_public_one() -> None:
    """The line to write is said."""
    with pytest.raises(ConfigError, match=r'public_url = "https://hub\.example\.com"'):
        webhook_url(HubSettings(), "main")
