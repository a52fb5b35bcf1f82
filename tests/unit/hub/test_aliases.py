"""Host aliases: a repository under its forge's internal name is known by the public one, too."""

import pytest

from adapters import repository_keys
from adapters.repositories import repository
from hub.aliases import HostAlias


@pytest.mark.parametrize(
    ("internal", "public", "url", "key"),
    [
        ("gitea:3000", "git.example.com", "http://gitea:3000/Acme/App.git", "acme/app"),
        ("http://Gitea:3000/", "https://git.example.com/", "http://gitea:3000/a/b", "a/b"),
        ("gitea", "git.example.com", "ssh://git@gitea:2222/a/b", "a/b"),
        ("gitea:443", "git.example.com", "https://gitea/a/b", "a/b"),
        ("gitea:3000/git", "git.example.com", "http://gitea:3000/git/a/b", "a/b"),
        ("gitea:3000", "git.example.com/git", "http://gitea:3000/a/b", "git/a/b"),
        ("tea:3000", "git.example.com", "http://tea:3000/a/b%20c/d", "a/b c/d"),
    ],
    ids=["host", "scheme and case", "any port", "default port", "path", "to a path", "escape"],
)
def test_an_internal_address_has_the_public_key(
    internal: str, public: str, url: str, key: str
) -> None:
    """Whatever way either is written; internal keys stay, and the clone URL is the public one."""
    named = repository(identifier=1, full_name="a/b", clone_url=url)
    found = HostAlias(internal, public).applied(named)
    assert found.keys - named.keys == repository_keys(found.clone_url) == {f"git.example.com/{key}"}
    assert found.keys > named.keys


@pytest.mark.parametrize(
    "url",
    ["http://gitea:3001/git/a", "http://gitea:3000/gitx/a", "http://x.test/gitea:3000/git/a"],
    ids=["other port", "half a segment", "not at the front"],
)
def test_what_is_elsewhere_has_none(url: str) -> None:
    """Whole host, whole port, whole segments."""
    named = repository(identifier=1, full_name="a/b", clone_url=url)
    assert HostAlias("gitea:3000/git", "git.example.com").applied(named) is named


def test_a_clone_url_that_is_elsewhere_stays() -> None:
    """Another of its URLs may be the internal one."""
    clone, page = "https://git.example.com/a/b", "http://gitea:3000/a/b"
    named = repository(identifier=1, full_name="a/b", clone_url=clone, html_url=page)
    found = HostAlias("gitea:3000", "public.example.com").applied(named)
    assert found.clone_url == clone
    assert "public.example.com/a/b" in found.keys


@pytest.mark.parametrize("name", ["", "a b", "https://", "host/../x", "host/a?b"])
def test_what_names_no_forge_is_refused(name: str) -> None:
    """At start, not at the first delivery; on either side."""
    for names in ((name, "git.example.com"), ("gitea:3000", name)):
        with pytest.raises(ValueError, match="host_aliases"):
            HostAlias(*names)
