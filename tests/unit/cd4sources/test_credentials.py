"""Credentials: where they may come from, and that nothing prints them."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings
from cd4sources.sources.credentials import Login, NoCredential
from cd4sources.targets import BadTarget, Repository

HTTPS = "https://h.example.com/x"
SSH = "ssh://git@h.example.com/x"

TOKEN = "c4n4ry/of-some-length"


def repository(url: str, **settings: Any) -> Repository:
    return Repository.from_settings(RepositorySettings(url=SecretStr(url), **settings))


@pytest.mark.parametrize(
    ("url", "settings", "user"),
    [
        (HTTPS, {}, "git"),
        (HTTPS, {"user": "me"}, "me"),
        ("https://you@h.example.com/x", {}, "you"),
    ],
)
def test_a_file_holds_the_password(
    tmp_path: Path, url: str, settings: dict[str, str], user: str
) -> None:
    """It is read whenever it is needed: what was rotated is used at once."""
    file = tmp_path / "token"
    one = repository(url, password_file=file, **settings)
    assert one.credential is not None
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert one.credential.login() == Login(user, password)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb\n", b"\xff\xfe", b"x" * 3000])
def test_a_file_without_a_password_is_named(tmp_path: Path, content: bytes | None) -> None:
    """The message says which file, and shows nothing of what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    one = repository(HTTPS, password_file=file)
    assert one.credential is not None
    with pytest.raises(NoCredential, match=str(file)):
        one.credential.login()


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("https://me:word@h.example.com/x", {"password_file": "f"}),
        (HTTPS, {"user": "me"}),
        (HTTPS, {"ssh_key_file": "k"}),
        (HTTPS, {"password_file": "f", "ssh_key_file": "k"}),
        ("https://me:word@h.example.com/x", {"ssh_key_file": "k"}),
        (SSH, {"password_file": "f"}),
        (SSH, {"user": "me"}),
        (SSH, {"ssh_key_file": "%h"}),
        (SSH, {"ssh_key_file": "${HOME}"}),
        ("/srv/x", {"ssh_key_file": "k"}),
        ("https://me:one%0Atwo@h.example.com/x", {}),
        (f"https://me:{'%C3%A9' * 300}@h.example.com/x", {"user": "\n", "password_file": "f"}),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    url: str, settings: dict[str, str]
) -> None:
    """Rather than one of them being used without a word."""
    with pytest.raises(BadTarget):
        repository(url, **settings)


def test_a_key_is_quoted_for_the_shell_that_runs_ssh() -> None:
    """A blank or a quote in its name neither ends the name nor begins a command."""
    one = repository(SSH, ssh_key_file="/run/my 'keys'/id;x")
    assert one.credential is not None
    assert one.credential.ssh_options == (
        """ -oIdentitiesOnly=yes -i '/run/my '"'"'keys'"'"'/id;x'"""
    )


@pytest.mark.parametrize(
    "login", [Login("me", TOKEN), Login(TOKEN, ""), Login(TOKEN, "x-oauth-basic")]
)
def test_an_echoed_secret_is_masked(login: Login) -> None:
    """Plain, percent-encoded, or as it travels in a header; also a token in the user's place."""
    basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    quoted = TOKEN.replace("/", "%2F")
    assert login.masked(f"said {TOKEN}, {quoted} and {basic}") == "said ***, *** and ***"
    assert TOKEN not in repr(login)


def test_a_user_who_is_no_token_is_not_masked() -> None:
    """`git` stands in many a word, such as a ref's name."""
    said = "no refs/heads/gitops at github"
    assert Login("git", "").masked(said) == said
