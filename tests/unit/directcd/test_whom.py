"""Whom a directcd.toml means when a command asks a hub or a server."""

from pathlib import Path

import pytest

from directcd.config import load
from directcd.whom import Asked, hub_asked, is_here, server_asked

TARGET = '[[target]]\nname = "shop"\nrepositories = [{ url = "/srv/git/shop" }]\n'
FOLLOWED = 'hub = "http://hub:1/"\nhub_token_file = "/run/token"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a configuration."""
    return tmp_path / "directcd.toml"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", Asked("http://127.0.0.1:8080")),
        ('[hub]\nlisten = "0.0.0.0:9"', Asked("http://127.0.0.1:9")),
        (
            f"[server]\n{FOLLOWED}",
            Asked("http://hub:1", Path("/run/token"), "server.hub_token_file"),
        ),
        (
            f"[client]\n{FOLLOWED}",
            Asked("http://hub:1", Path("/run/token"), "client.hub_token_file"),
        ),
        ('[server]\nhub = "redis://r"', Asked("http://127.0.0.1:8080")),
        (f'[hub]\nlisten = "127.0.0.1:9"\n[server]\n{FOLLOWED}', Asked("http://127.0.0.1:9")),
    ],
    ids=["none", "its own", "the server's", "the client's", "a Redis", "its own before another"],
)
def test_the_hub_of_a_file(file: Path, text: str, asked: Asked) -> None:
    """Its own, or who is followed; a token goes to the hub it is for, and to no other."""
    file.write_text(text)
    assert hub_asked(load(file)) == asked


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", Asked("http://127.0.0.1:8081")),
        ('[server]\nlisten = "127.0.0.1:9"', Asked("http://127.0.0.1:9")),
        (TARGET, Asked("http://127.0.0.1:8081")),
        (
            '[client]\nservers = ["http://a:1", "http://b:1"]\ntoken_file = "t"\n' + TARGET,
            Asked("http://a:1", Path("t"), "client.token_file"),
        ),
        (
            '[server]\nlisten = ":9"\n[client]\nservers = ["http://a:1"]\ntoken_file = "t"',
            Asked("http://127.0.0.1:9"),
        ),
    ],
    ids=["none", "its own", "of a target", "the client's", "its own before another"],
)
def test_the_server_of_a_file(file: Path, text: str, asked: Asked) -> None:
    """Its own, or the first that its client watches; a token goes to no other."""
    file.write_text(text)
    assert server_asked(load(file)) == asked


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_here(url: str, here: bool) -> None:  # noqa: FBT001
    """By what is written; a name might lead anywhere."""
    assert is_here(url) is here
