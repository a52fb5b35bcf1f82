"""Rotating a secret: what a person is told while old and new overlap."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from hub.log.base import SecretUse
from hub.rotation import OlderSecrets, source_view
from hub.settings import SourceSettings
from hub.sources import Source

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def source(*secrets: str) -> Source:
    """A source with these secrets."""
    values = tuple(SecretStr(secret) for secret in secrets)
    return Source("main", SourceSettings(provider="github", secrets=values))


def used(place: str, at: datetime, *, siblings: int = 2) -> SecretUse:
    """A secret that was used once."""
    return SecretUse("main", place, siblings, at, 1)


def next_of(*uses: SecretUse) -> str:
    """What a source with a new and an old secret is told."""
    text: str = source_view(source("new", "old"), uses, START)["next"]
    return text


def test_an_older_secret_that_was_used_last_is_still_in_use() -> None:
    """Also when the hub was restarted since."""
    text = next_of(used("secrets[0]", START - 3 * MINUTE), used("secrets[1]", START - MINUTE))
    assert text.startswith("The forge still signs with secrets[1]; last at 2026-05-01T11:59:00")
    assert "remove" not in text


def test_an_older_secret_that_is_no_longer_used_can_be_removed() -> None:
    """Since when it has not been used is said."""
    text = next_of(used("secrets[0]", START + 3 * MINUTE), used("secrets[1]", START + MINUTE))
    assert text.startswith("secrets[1] has not been used since 2026-05-01T12:01:00+00:00, remove")


def test_nothing_is_removed_on_the_word_of_an_earlier_configuration() -> None:
    """Before a restart the places may have been other secrets'."""
    assert next_of(used("secrets[0]", START - MINUTE)) == ""
    assert next_of() == ""


def test_a_place_in_another_list_is_another_secret() -> None:
    """The only secret of yesterday is not the first of two today."""
    view = source_view(source("new", "old"), [used("secrets[0]", START, siblings=1)], START)
    assert [secret["deliveries"] for secret in view["secrets"]] == [0, 0]
    assert view["last_delivery_at"] == START.isoformat()


def test_one_secret_needs_no_advice() -> None:
    """And the view shows which one it is."""
    view = source_view(source("new"), [used("secrets[0]", START, siblings=1)], START)
    assert view["next"] == ""
    assert view["secrets"] == [
        {
            "place": "secrets[0]",
            "current": True,
            "last_used_at": START.isoformat(),
            "deliveries": 1,
        }
    ]


def test_an_older_secret_is_warned_of_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Each place for itself; the current one never, nor an unsigned delivery."""
    older = OlderSecrets()
    one = source("a", "b", "c")
    with caplog.at_level(logging.WARNING):
        for place in ("secrets[1]", "secrets[1]", "secrets[2]", "secrets[0]", ""):
            older.notice(one, place, START)
        older.notice(one, "secrets[1]", START + 59 * MINUTE)
        older.notice(one, "secrets[1]", START + 60 * MINUTE)
    said = [record.__dict__["place"] for record in caplog.records]
    assert said == ["secrets[1]", "secrets[2]", "secrets[1]"]
