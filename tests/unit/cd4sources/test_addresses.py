"""Addresses and refs: what git may be given, and that no secret stays in it."""

from pathlib import Path

import pytest

from cd4sources.redacting import redacted
from cd4sources.sources.addresses import (
    BadTarget,
    full_ref,
    parse_address,
    without_secret,
)

SECRET = "c4n4ry"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://h.example.com/x.git", "https://h.example.com/x.git"),
        ("HTTPS://me:c4n4ry@h.example.com/x", "https://h.example.com/x"),
        ("https://me@corp:c4n4ry@h.example.com:8443/x", "https://h.example.com:8443/x"),
        ("http://c4n4ry@[::1]:80/x", "http://[::1]:80/x"),
        ("ssh://git@h.example.com:22/x", "ssh://git@h.example.com:22/x"),
        ("git@h.example.com:acme/x.git", "git@h.example.com:acme/x.git"),
        ("git://h.example.com/x", "git://h.example.com/x"),
        ("file:///srv/x", "file:///srv/x"),
        ("/srv/git/../x@1", "/srv/x@1"),
        ("./x", str(Path.cwd() / "x")),
    ],
)
def test_address_is_kept_without_its_credential(text: str, url: str) -> None:
    """Whoever sees the address sees how to get there, and nothing else."""
    assert parse_address(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 2001,
        "https://h.example.com/a b",
        "https://h.example.com/a\nb",
        "https://me:c4n4ry/1@h.example.com/x",
        "https://c4n4ry/1@h.example.com/x",
        "https://c4n4ry#1@h.example.com/x",
        "https://c4n4ry?1@h.example.com/x",
        "https://me:c4n4ry%40h.example.com/x",
        "https://me%3Ac4n4ry%40h.example.com/x",
        "https://h.example.com/x?access_token=c4n4ry",
        "https://h.example.com/x#c4n4ry",
        "https:/me:c4n4ry@h.example.com/x",
        "https:me:c4n4ry@h.example.com/x",
        "https//me:c4n4ry@h.example.com/x",
        "https:\\\\me:c4n4ry@h.example.com/x",
        "https://h.example.com:99999/x",
        "/https://me:c4n4ry@h.example.com/x",
        "//me:c4n4ry@h.example.com/x",
        "file://me:c4n4ry@h.example.com/x",
        "file:///https://me:c4n4ry@h.example.com/x",
        "ssh://git:c4n4ry@h.example.com/x",
        "ssh://a:c4n4ry@b@h.example.com/x",
        "git://me:c4n4ry@h.example.com/x",
        "ftp://me:c4n4ry@h.example.com/x",
        "me:c4n4ry@h.example.com:x",
        "-oProxyCommand=c4n4ry",
        "--upload-pack=c4n4ry",
        "-u./c4n4ry",
        "ssh://-oProxyCommand=c4n4ry/x",
        "ssh://-oProxyCommand=c4n4ry@h.example.com/x",
        "git@-oProxyCommand=c4n4ry:x",
        "h.example.com:-c4n4ry",
        "ext::sh -c c4n4ry",
        "ext::c4n4ry",
        "fd::7",
        "c4n4ry::https://h.example.com/x",
        "h.example.com/acme/c4n4ry",
    ],
)
def test_what_could_mean_something_else_is_refused(text: str) -> None:
    """No option, no helper, no hidden credential; and the reason shows nothing of it."""
    with pytest.raises(BadTarget) as raised:
        parse_address(text)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "git.example.com/acme/lib", "https://h.example.com/x", "git@h.example.com:x"]
)
def test_a_replaced_repository_is_named_as_it_is(text: str) -> None:
    """A module path or an address."""
    assert without_secret(text) == text


@pytest.mark.parametrize("text", ["https://me:c4n4ry@h/x", "c4n4ry@h/x", "ssh://a:c4n4ry@h/x"])
def test_a_credential_of_a_replaced_repository_is_refused(text: str) -> None:
    """It is never fetched, and would only be shown."""
    with pytest.raises(BadTarget) as raised:
        without_secret(text)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("ref", "full"),
    [
        ("", ""),
        ("main", "refs/heads/main"),
        ("feature/x", "refs/heads/feature/x"),
        ("refs/tags/v1", "refs/tags/v1"),
    ],
)
def test_ref_is_completed(ref: str, full: str) -> None:
    """A short name is a branch; a full ref and the empty one stay."""
    assert full_ref(ref) == full


@pytest.mark.parametrize("ref", ["a b", "a:b", "*", "+x^", "a..b", "x.lock", "x/", "a\nb", "@{1}"])
def test_what_is_not_one_ref_is_refused(ref: str) -> None:
    """Nothing that git would read as a refspec, a range or a pattern gets through."""
    with pytest.raises(BadTarget):
        full_ref(ref)


def test_redacted_masks_every_user_info() -> None:
    """Users and passwords of all URLs in a text are masked, the rest stays."""
    text = "from https://u:p@h/x to ssh://git@h/y at https://h/z"
    assert redacted(text) == "from https://***@h/x to ssh://***@h/y at https://h/z"
