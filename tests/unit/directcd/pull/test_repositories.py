"""`--repo` and `--replace`: which `=` is between two repositories, and which belongs to one."""

from pathlib import Path

import pytest

from directcd.pull.errors import BadArguments
from directcd.pull.repositories import Named, replacement, repository

SHOP = "https://git.example.com/acme/shop.git"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with some in it, as the current one and as home."""
    for name in ("fork", "a=b", "b", "other/lib"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "url",
    [
        SHOP,
        "https://me:pa=ss@host/x.git",
        "https://me:pa=ss@host:8443/x.git",
        "https://me:12=ss@host:8443/x.git",
        "https://me:=@host/x.git",
        "https://me:a=git@host/x.git",
        "https://host/x=y.git",
        "git@host:acme/x=y.git",
        "ssh://git@host:2222/x=y.git",
    ],
)
def test_an_equals_sign_within_an_address_is_its_own(url: str) -> None:
    """A password's, above all."""
    assert repository(url) == Named(url)


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("example.com/x/lib", "https://host/me/lib.git"),
        ("example.com/x/lib", "https://me:pa=ss@host/lib.git"),
        ("https://github.com/a/b", "https://github.com/me/b"),
        ("https://host/a.git", "https://me:p=git@host:1/b.git"),
        ("https://host/a=b.git", "git@host:me/c.git"),
        ("git@host:acme/lib.git", "ssh://git@host/me/lib=2.git"),
        ("lib", "https://host/lib.git"),
    ],
)
def test_a_pair_is_split_between_two_whole_addresses(before: str, behind: str) -> None:
    """The same in both options."""
    assert repository(f"{before}={behind}") == Named(behind, before)
    assert replacement(f"{before}={behind}") == Named(behind, before)


@pytest.mark.parametrize(
    ("text", "path"),
    [(".", ""), ("./fork", "fork"), ("~/fork", "fork"), ("fork", "fork"), ("a=b", "a=b"),
     ("./a=b", "a=b"), ("other/../fork", "fork")],
)  # fmt: skip
def test_a_directory_is_a_repository(here: Path, text: str, path: str) -> None:
    """Absolute from here on, because git runs elsewhere."""
    assert Path(repository(text).url).resolve() == here / path
    assert Path(repository(text).url).is_absolute()


@pytest.mark.parametrize("behind", ["fork", "./fork", "~/fork"])
def test_a_directory_stands_in(here: Path, behind: str) -> None:
    """For a module, or for another directory."""
    assert replacement(f"example.com/x={behind}") == Named(str(here / "fork"), "example.com/x")
    assert repository(f"../lib={behind}").replaces == str(here / "../lib")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("github.com/acme/shop", "write https://github.com/acme/shop"),
        ("./shpo", "./shpo: no such directory"),
        ("shpo", "shpo is no directory here"),
        ("x" * 300, "is no directory here"),
        ("example.com/x=./frok", "./frok: no such directory"),
        ("example.com/x=github.com/me/x", "no address"),
        ("https//github.com/acme/shop", "no address such as https://host/path"),
        ("https://host/x?y", "no query"),
    ],
    ids=lambda text: text[:40],
)
def test_a_typo_is_answered_with_what_to_write(text: str, advice: str) -> None:
    """Before anything is started."""
    with pytest.raises(BadArguments, match=r"^--repo") as raised:
        repository(text)
    assert advice in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["https://me:s3cr3t@", "htps://me:s3cr3t@host/x", "https://me:s3cr3t/@host/x",
     "me:s3cr3t@host/x", "https://me:s3cr3t@host/x#y", "ssh://me:s3cr3t@host/x"],
)  # fmt: skip
def test_no_error_shows_a_password(text: str) -> None:
    """Be it written where none belongs."""
    for read in (repository, replacement):
        with pytest.raises(BadArguments) as raised:
            read(text)
        assert "s3cr3t" not in str(raised.value)
    assert "s3cr3t" not in repr(Named(text, text))


@pytest.mark.parametrize("text", ["x", "=", "example.com/x=", f"={SHOP}", "https://host=fork"])
def test_a_replacement_is_a_pair(text: str) -> None:
    """Of two that mean something."""
    with pytest.raises(BadArguments, match="--replace: write A=B"):
        replacement(text)
