"""How a failure is put into one line, and that nothing secret is in it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.settings import HubSettings, ServerSettings, SourceSettings
from hub.sources import build_sources
from hub.statuses.redacting import Redactor
from hub.statuses.wording import cut, last_line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", ""),
        ("one line", "one line"),
        ("first\n  last  \n\n", "last"),
        (
            "main.go:7: undefined: x\nmake: *** [Makefile:2: all] Error 1\n",
            "main.go:7: undefined: x",
        ),
        ("no rule\nmake[1]: *** Error 2\nexit status 2\n----\n", "no rule"),
        ("exit status 2", "exit status 2"),
        ("\x1b[31mred\x1b[0m\x07", "red"),
        ("first\r\nwith\ttab\u202e", "withtab"),
    ],
)
def test_the_last_line_that_says_something_is_told(message: str, line: str) -> None:
    """Without colours and what cannot be seen."""
    assert last_line(message) == line


def test_a_long_text_is_cut_and_says_so() -> None:
    """To exactly so many characters."""
    assert cut("a" * 140, 140) == "a" * 140
    assert cut("a" * 139 + " b", 140) == "a" * 139 + "…"


def test_whatever_the_hub_knows_is_taken_out(tmp_path: Path) -> None:
    """Secrets, tokens and passwords of sources, servers and Redis, from files and settings."""
    for name in ("secret", "token", "server"):
        (tmp_path / name).write_text(f"canary-{name}-file\n")
    source = SourceSettings(
        provider="github",
        secrets=(SecretStr("canary-secret"),),
        secrets_files=(tmp_path / "secret",),
        api_token_file=tmp_path / "token",
    )
    other = SourceSettings(provider="gitlab", insecure=True, api_token=SecretStr("canary-token"))
    settings = HubSettings(
        redis=SecretStr("redis://ada:canary-redis@127.0.0.1/0"),
        sources={"main": source, "other": other},
        servers={
            "one": ServerSettings(url="http://127.0.0.1:1", token=SecretStr("canary-server")),
            "two": ServerSettings(url="http://127.0.0.1:2", token_file=tmp_path / "server"),
        },
    )
    redact = Redactor(settings, build_sources(settings.sources))
    text = (
        "canary-secret canary-secret-file canary-token canary-token-file canary-server-file "
        "canary-server canary-redis"
    )
    assert "canary" not in redact(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ada:hunter22@h/a", "https://(redacted)@h/a"),
        ("GET https://h/a?token=hunter22 failed", "GET https://h/a?(redacted) failed"),
        (f"used ghp_{'a' * 36}", "used (redacted)"),
        (f"used glpat-{'a' * 20}!", "used (redacted)!"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer (redacted)"),
        ("undefined: token in shop@1.2", "undefined: token in shop@1.2"),
        ("a lone \ud800", "a lone ?"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str, shown: str) -> None:
    """Though nobody knows whose it is; other words stay."""
    assert Redactor(HubSettings(), [])(text) == shown
