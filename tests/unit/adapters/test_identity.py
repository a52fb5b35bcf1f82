"""Spellings of repository URLs beyond the table of pairs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import repository_keys

SPELLINGS = {
    "ssh://git@ssh.github.com:443/Org/Repo.git": {"github.com/org/repo"},
    "git@altssh.gitlab.com:g/r.git": {"gitlab.com/g/r"},
    "https://org.visualstudio.com/DefaultCollection/proj/_git/repo": {
        "dev.azure.com/org/proj/_git/repo",
    },
    "https://org.visualstudio.com/_git/repo": {"dev.azure.com/org/repo/_git/repo"},
    "https://dev.azure.com/org/My%20Project/_git/r": {"dev.azure.com/org/my project/_git/r"},
    "https://bb.example.test/users/u/repos/r/browse/src": {"bb.example.test/~u/r"},
    "https://bb.example.test/scm/~u/r.git": {"bb.example.test/~u/r"},
    "https://gitlab.com/scm/group/r.git": {"gitlab.com/scm/group/r"},
    "git.example.test/acme/lib": {"git.example.test/acme/lib"},
    "gitea:3000/acme/app": {"gitea/acme/app", "gitea:3000/acme/app"},
    "https://[::1]:3000/a/b": {"[::1]/a/b", "[::1]:3000/a/b"},
    "https://bücher.example/a/b": {"xn--bcher-kva.example/a/b"},
    "https://host.test./a/b?tab=readme#top": {"host.test/a/b"},
    "https://host.test:0443/a/b": {"host.test/a/b"},
    "https://user:p@ss@host.test/a/b": {"host.test/a/b"},
}
NO_REPOSITORY = [
    "",
    "C:/repo",
    "C:\\repo",
    "/srv/repo",
    "./x/y",
    "ext::sh -c id",
    "user:password@host.test/acme/app",
    "git@gogs-server/repo.git",
    "https://host.test:abc/a/b",
    "https://host.test/a/../b",
    "https://host.test/a%00b",
    "https://host.test/.git",
    "https://-\u0660.test:\u0663/a/b\ud800",
    "https://xn--\ud7ff" + "a" * 70 + "é.test/a",
    "https://host.test/" + "a" * 3000,
]


@pytest.mark.parametrize(("url", "keys"), SPELLINGS.items(), ids=list(SPELLINGS))
def test_spelling_has_these_keys(url: str, keys: set[str]) -> None:
    """Aliases, dialects and ports of forges come down to the same keys."""
    assert repository_keys(url) == keys


@pytest.mark.parametrize("url", NO_REPOSITORY, ids=lambda url: ascii(url)[:40])
def test_what_is_local_or_broken_has_no_key(url: str) -> None:
    """There is no key to match by accident, and no error."""
    assert repository_keys(url) == frozenset()


@pytest.mark.parametrize("url", SPELLINGS)
def test_a_key_is_a_spelling_of_its_repository(url: str) -> None:
    """A key copied from an answer into a request finds the same repository."""
    for key in repository_keys(url):
        if "." in key or ":" in key.partition("]")[2]:  # else it may well be a local path
            assert key in repository_keys(key)


@given(
    st.text()
    | st.text(alphabet="ab.:/@[]%~ \\\ud800é-_0123?#")
    | st.builds("https://{}/{}".format, st.text(), st.text())
)
def test_any_text_is_answered(url: str) -> None:
    """Keys are lower case and name a host and a path, whatever the text."""
    for key in repository_keys(url):
        assert key == key.lower()
        assert all(key.partition("/")[::2])
