"""The repository of an outcome: what is shown of it, and what never is."""

import pytest

from adapters.repositories import repository

ADDRESSES = {
    "https://bot:s3cr3t@git.example.com/a/b.git": "https://git.example.com/a/b.git",
    "https://s3cr3t@git.example.com/a/b.git": "https://git.example.com/a/b.git",
    "HTTP://bot:s3cr3t@git.example.com/a/b.git": "HTTP://git.example.com/a/b.git",
    "https://s3@cr3t@git.example.com/a/b.git": "https://git.example.com/a/b.git",
    "git+https://s3cr3t@git.example.com/a/b": "git+https://git.example.com/a/b",
    "ssh://git:s3cr3t@git.example.com:22/a/b": "ssh://git.example.com:22/a/b",
    "ssh://git@git.example.com:7999/a/b.git": "ssh://git@git.example.com:7999/a/b.git",
    "git@git.example.com:a/b.git": "git@git.example.com:a/b.git",
    "https://git.example.com/a/b@c": "https://git.example.com/a/b@c",
    "https://git.example.com/\x1b[2Ja\u202e": "https://git.example.com/[2Ja",
}


@pytest.mark.parametrize(("given", "kept"), ADDRESSES.items(), ids=ascii)
def test_no_credential_and_no_control_character_stays_in_an_address(given: str, kept: str) -> None:
    """It goes to every subscriber, and a CI job's clone URL has a token in it."""
    found = repository(identifier="1\n", full_name="", clone_url=given, ssh_url=given)
    assert (found.clone_url, found.ssh_url, found.id) == (kept, kept, "1")


def test_a_repository_without_a_name_is_called_by_its_path() -> None:
    """Of its page, or of its clone URL."""
    only_clone = repository(identifier=1, full_name=None, clone_url="https://h.test/a/b.git")
    assert only_clone.full_name == "a/b"
    page = "https://h.test/c/d/"
    assert repository(identifier=1, full_name="", clone_url=None, html_url=page).full_name == "c/d"
