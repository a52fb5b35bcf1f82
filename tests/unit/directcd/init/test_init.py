"""What `directcd init` sees in a repository, and what it writes."""

import tomllib
from pathlib import Path

import pytest

from directcd.config import load
from directcd.embedded import parts_of
from directcd.errors import ConfigError
from directcd.init import files, writing
from directcd.init.forges import guessed
from directcd.init.looking import look
from tests.support.sources import Source


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A repository on main, without a remote."""
    source = Source(tmp_path / "shop")
    source.commit({"build.sh": "exit 0"})
    monkeypatch.chdir(source.path)
    return source


def follow(source: Source, url: str, branch: str = "main") -> None:
    """Let its branch follow one of a remote."""
    source.git("remote", "add", "origin", url)
    source.git("config", "branch.main.remote", "origin")
    source.git("config", "branch.main.merge", f"refs/heads/{branch}")


@pytest.mark.parametrize(
    ("url", "written", "provider"),
    [
        ("https://github.com/acme/Shop.git", "https://github.com/acme/Shop.git", "github"),
        ("git@gitlab.com:acme/shop.git", "git@gitlab.com:acme/shop.git", "gitlab"),
        ("https://codeberg.org/a/shop", "https://codeberg.org/a/shop", "forgejo"),
        ("ssh://git@gitea.lan:2222/a/shop.git", "ssh://git@gitea.lan:2222/a/shop.git", "gitea"),
        ("https://git.example.com/a/shop", "https://git.example.com/a/shop", ""),
    ],
)
def test_the_remote_and_its_forge_are_seen(
    shop: Source, url: str, written: str, provider: str
) -> None:
    """By its host's name; where that tells nothing, somebody must say it."""
    follow(shop, url)
    seen = look(shop.path)
    assert (seen.url, seen.target, seen.ref) == (written, "shop", "main")
    assert guessed(seen.key) == provider


def test_the_upstream_names_the_ref(shop: Source) -> None:
    """Not the local branch, which may be called otherwise."""
    follow(shop, "https://github.com/acme/shop.git", "release/2")
    assert look(shop.path).ref == "release/2"


def test_a_detached_head_follows_the_remotes(shop: Source) -> None:
    """No ref is written then."""
    follow(shop, "https://github.com/acme/shop.git")
    shop.git("checkout", "--quiet", "--detach")
    assert look(shop.path).ref == ""


def test_credentials_of_the_remote_are_not_written(shop: Source) -> None:
    """Neither password nor token, and that there was one is known."""
    follow(shop, "https://ada:pw-4711@github.com/acme/shop.git")
    seen = look(shop.path)
    text = writing.document(seen, "github")
    assert seen.had_credential
    assert "4711" not in text + repr(seen)
    assert "ada" not in text


@pytest.mark.parametrize("remote", ["", "../origin.git"], ids=["none", "relative"])
def test_a_repository_of_this_machine_is_polled(shop: Source, remote: str) -> None:
    """No forge's webhook names a path; a relative one is read from the repository's top."""
    if remote:
        follow(shop, remote)
    (shop.path / "deep").mkdir()
    seen = look(shop.path / "deep")
    assert seen.url == str(shop.path.parent / "origin.git" if remote else shop.path)
    assert "hub" not in tomllib.loads(writing.document(seen, ""))


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    """And what to do."""
    with pytest.raises(ConfigError, match="is in no git repository: cd to"):
        look(tmp_path)


@pytest.mark.parametrize("url", ["", "https://github.com/acme/shop.git", "git@gogs.lan:a/b.git"])
def test_what_is_written_is_valid(shop: Source, url: str) -> None:
    """As `config check` sees it."""
    if url:
        follow(shop, url)
    seen = look(shop.path)
    provider = guessed(seen.key)
    text = writing.document(seen, provider)
    files.write(shop.path, text, with_secret=bool(provider), force=False)
    assert len(parts_of(load(shop.path / files.NAME))) == (3 if url else 2)


def test_the_secret_is_strong_and_kept_from_others(shop: Source) -> None:
    """Not in the configuration, not in git, and not made anew by --force."""
    files.write(shop.path, "# one\n", with_secret=True, force=False)
    secret = shop.path / writing.SECRET
    kept = secret.read_text()
    files.write(shop.path, "# two\n", with_secret=True, force=True)
    assert (len(kept.strip()), secret.read_text()) == (64, kept)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert shop.git("status", "--short") == "?? directcd.toml"


def test_nothing_is_written_over_without_force(shop: Source) -> None:
    """Nor beside it."""
    (shop.path / files.NAME).write_text("# mine\n")
    with pytest.raises(ConfigError, match="--force"):
        files.write(shop.path, "# other\n", with_secret=True, force=False)
    assert (shop.path / files.NAME).read_text() == "# mine\n"
    assert not (shop.path / writing.ROOM).exists()


@pytest.mark.parametrize(
    ("provider", "base_url"), [("gitea", "https://git.example.com"), ("generic", "")]
)
def test_a_forge_has_pages_and_a_script_has_none(
    shop: Source, provider: str, base_url: str
) -> None:
    """Where they are is asked of forges alone."""
    follow(shop, "https://git.example.com/a/shop.git")
    written = tomllib.loads(writing.document(look(shop.path), provider))
    assert written["hub"]["sources"]["main"].get("base_url", "") == base_url
