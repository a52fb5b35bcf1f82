"""From a repository's keys to its path at a source's forge, and back."""

import pytest

from adapters import repository_keys
from hub.forges.addresses import ForgeAddress, addresses_of
from hub.settings import SourceSettings


def _address(provider: str = "gitea", **settings: object) -> ForgeAddress:
    values = {"provider": provider, "insecure": True} | settings
    return ForgeAddress(SourceSettings.model_validate(values))


@pytest.mark.parametrize(
    ("base_url", "url", "path"),
    [
        ("https://git.example.com", "https://git.example.com/Acme/Shop.git", "acme/shop"),
        ("https://git.example.com", "git@git.example.com:acme/shop.git", "acme/shop"),
        ("https://git.example.com/git", "https://git.example.com/git/acme/shop", "acme/shop"),
        ("https://git.example.com/git", "https://git.example.com/acme/shop", ""),
        ("https://git.example.com", "https://evil.test/git.example.com/acme/shop", ""),
        ("https://git.example.com", "https://git.example.com.evil.test/acme/shop", ""),
        ("http://git.example.com:3000", "http://git.example.com:3000/acme/shop", "acme/shop"),
        ("http://git.example.com:3000", "git@git.example.com:acme/shop", "acme/shop"),
        ("http://git.example.com:3000", "ssh://git@git.example.com:2222/a/b.git", "a/b"),
        ("https://git.example.com", "ssh://git@git.example.com:2222/a/b.git", "a/b"),
        ("https://git.example.com", "https://git.example.com/a/b/c/d.git", "a/b/c/d"),
        ("https://git.example.com", "https://git.example.com/a/../../admin", ""),
        ("https://git.example.com", "https://git.example.com/a/%2e%2e/admin", ""),
        ("https://git.example.com", "https://git.example.com/a/b%3Fref=x", ""),
        ("https://git.example.com", "https://git.example.com/a/b%23", ""),
        ("https://git.example.com", "https://git.example.com/a/b%25", ""),
    ],
)
def test_the_path_follows_the_forges_own_address(base_url: str, url: str, path: str) -> None:
    assert _address(base_url=base_url).path_of(repository_keys(url)) == path


def test_a_public_name_leads_to_the_same_path() -> None:
    address = _address(base_url="http://gitea:3000", host_aliases={"gitea:3000": "git.example.com"})
    assert address.path_of(repository_keys("https://git.example.com/acme/shop")) == "acme/shop"
    assert {"gitea:3000/acme/shop", "git.example.com/acme/shop"} <= address.keys_of("acme/shop")


@pytest.mark.parametrize(("provider", "host"), [("github", "github.com"), ("gitlab", "gitlab.com")])
def test_well_known_forges_need_no_setting(provider: str, host: str) -> None:
    keys = repository_keys(f"https://{host}/acme/shop")
    assert _address(provider).path_of(keys) == "acme/shop"


def test_a_forge_that_nobody_has_named_has_nothing() -> None:
    address = _address()
    assert address.path_of(repository_keys("https://git.example.com/acme/shop")) == ""
    assert address.keys_of("acme/shop") == frozenset()


def test_of_two_forges_on_one_host_each_has_its_own() -> None:
    sources = {
        name: SourceSettings(
            provider="gitea", insecure=True, base_url=f"http://git.example.com:{port}"
        )
        for name, port in (("one", 3000), ("two", 4000))
    }
    found = addresses_of(sources)
    keys = repository_keys("http://git.example.com:4000/acme/shop")
    assert {name: one.path_of(keys) for name, one in found.items()} == {
        "one": "",
        "two": "acme/shop",
    }
