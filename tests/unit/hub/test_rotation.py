"""Rotating a secret: what a person is told while old and new overlap."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.log.values import SecretUse
from hub.rotation import OlderSecrets, source_view
from hub.secrets import Secret
from hub.settings import SourceSettings
from hub.sources import Source

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEXT_WEEK = START + timedelta(days=7)


def source(*secrets: str, files: tuple[Path, ...] = ()) -> Source:
    """A source with these secrets."""
    values = tuple(SecretStr(secret) for secret in secrets)
    return Source("main", SourceSettings(provider="github", secrets=values, secrets_files=files))


def used(secret: str, at: datetime) -> SecretUse:
    """A secret that was used once."""
    return SecretUse("main", Secret("", secret.encode()).mark, at, 1)


def next_of(*uses: SecretUse, now: Source | None = None) -> str:
    """What a source with a new and an old secret is told."""
    text: str = source_view(now or source("new", "old"), uses, NEXT_WEEK)["next"]
    return text


def test_an_older_secret_that_was_used_last_is_still_in_use() -> None:
    """And must not be removed."""
    text = next_of(used("new", START - 3 * MINUTE), used("old", START - MINUTE))
    assert text.startswith("The forge still signs with secrets[1]; last at 2026-05-01T11:59:00")
    assert "remove" not in text


def test_an_older_secret_that_is_no_longer_used_can_be_removed() -> None:
    """Since when it has not been used is said."""
    text = next_of(used("new", START + 3 * MINUTE), used("old", START + MINUTE))
    assert text.startswith("secrets[1] has not been used since 2026-05-01T12:01:00+00:00, remove")
    assert next_of(used("new", START)).startswith("secrets[1] was never used, remove")


def test_an_older_secret_is_kept_for_a_day_after_its_last_use() -> None:
    """Another webhook of the same source may still have it."""
    uses = [used("new", START + MINUTE), used("old", START)]
    for hours, words in ((23, "keep it until it was silent for a day"), (25, "remove it when")):
        view = source_view(source("new", "old"), uses, START + timedelta(hours=hours))
        assert words in view["next"]


def test_before_the_new_secret_is_used_nothing_is_removed() -> None:
    """The forge has to be given it first."""
    assert next_of() == "No delivery was signed with secrets[0] yet: give it to the forge."
    assert "remove" not in next_of(used("old", START))


@pytest.mark.parametrize(
    "today", [("new", "old"), ("old", "new"), ("other", "new", "old")], ids=str
)
def test_a_secret_is_recognised_wherever_it_is_written(today: tuple[str, ...]) -> None:
    """Another order, or one secret more, makes no secret another's."""
    view = source_view(source(*today), [used("new", START)], NEXT_WEEK)
    counts = {today[i]: one["deliveries"] for i, one in enumerate(view["secrets"])}
    assert counts == dict.fromkeys(today, 0) | {"new": 1}
    assert view["last_delivery_at"] == START.isoformat()


def test_a_file_that_cannot_be_read_is_said_first(tmp_path: Path) -> None:
    """Advice about the others would be wrong."""
    now = source("old", files=(tmp_path / "missing",))
    view = source_view(now, [used("old", START)], NEXT_WEEK)
    assert [one["readable"] for one in view["secrets"]] == [True, False]
    assert view["next"] == f"{tmp_path / 'missing'} cannot be read; the hub's log says why."


def test_one_secret_needs_no_advice() -> None:
    """And the view shows which one it is."""
    view = source_view(source("new"), [used("new", START)], NEXT_WEEK)
    assert view["next"] == ""
    assert view["secrets"] == [
        {
            "place": "secrets[0]",
            "current": True,
            "readable": True,
            "last_used_at": START.isoformat(),
            "deliveries": 1,
        }
    ]


def test_an_older_secret_is_warned_of_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Each for itself; the current one never, nor an unsigned delivery."""
    older = OlderSecrets()
    one = source("a", "b", "c")
    a, b, c = one.secrets()
    with caplog.at_level(logging.WARNING):
        for secret in (b, b, c, a, None):
            older.notice(one, secret, START)
        older.notice(one, b, START + 59 * MINUTE)
        older.notice(one, b, START + 60 * MINUTE)
    said = [record.__dict__["place"] for record in caplog.records]
    assert said == ["secrets[1]", "secrets[2]", "secrets[1]"]
