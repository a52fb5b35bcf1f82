"""What a hub's answers mean, and which mistyped keys are understood."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cd4sources.targets import Repository
from directcd.config import load
from directcd.doctor.disk import MEBIBYTE, judged
from directcd.doctor.hubs import (
    Failure,
    Refusal,
    Running,
    Source,
    Standing,
    Subscription,
    ended,
    refused,
    unheard,
)
from directcd.doctor.targets import failed
from directcd.errors import ConfigError

SHOP = ("target.shop.repositories[0]", Repository("https://git.example.com/acme/shop.git"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFUSAL = Refusal(
    source="main",
    last_at=NOON,
    count=3,
    status=401,
    code="bad-signature",
    detail="wrong",
    next="compare the secret",
)


def test_a_repository_that_no_delivery_has_named_is_a_warning() -> None:
    """Only the poll finds its pushes; a local one is named by no forge."""
    local = ("target.x.repositories[0]", Repository("/srv/git/x"))
    [finding] = unheard([SHOP, local], frozenset({"git.example.com/acme/lib"}))
    assert finding.severity == "warning"
    assert "create the webhook" in finding.next


def test_another_host_with_the_same_path_hints_at_host_aliases() -> None:
    """Ready to be copied."""
    [finding] = unheard([SHOP], frozenset({"gitea:3000/acme/shop"}))
    assert 'host_aliases = {"gitea:3000" = "git.example.com"}' in finding.next


@pytest.mark.parametrize(
    ("code", "accepted", "hours", "found"),
    [
        ("bad-signature", None, 99, 1),
        ("bad-signature", -1, 99, 1),
        ("bad-signature", 1, 0.9, 1),
        ("bad-signature", 1, 1.1, 0),
        ("malformed-delivery", 1, 1.1, 1),
        ("malformed-delivery", 1, 25, 0),
    ],
)
def test_refused_deliveries_are_told_also_when_another_was_accepted(
    code: str, accepted: int | None, hours: float, found: int
) -> None:
    """A wrong signature for an hour then: another webhook may still be wrong."""
    at = None if accepted is None else NOON + timedelta(minutes=accepted)
    sources = [Source(name="main", last_delivery_at=at), Source(name="other")]
    refusal = REFUSAL.model_copy(update={"code": code})
    findings = refused(sources, [refusal], NOON + timedelta(hours=hours))
    assert [one.next for one in findings] == ["compare the secret"] * found
    assert all(one.what.startswith("3 deliveries were refused with 401") for one in findings)
    assert all(("accepted since" in one.what) == (accepted == 1) for one in findings)


def test_a_failed_target_is_a_problem_with_the_hubs_next_step() -> None:
    """And so is every other client that does not run what is offered; the first line is enough."""
    east = Running(client="east", version="v1", state="rolled back", message="sick\nlong")
    west = Running(client="west", version="v1", state="quarantined", message="ended")
    north = Running(client="north", version="v2", state="running")
    failure = Failure(message="sick\nlong", next="read it", reporter="east")
    standing = Standing(
        target="shop", state="rolled back", running=(east, west, north), last_failure=failure
    )
    first, second = failed(standing)
    assert (first.what, first.next) == ("shop: rolled back at east: sick", "read it")
    assert second.what == "shop: quarantined at west: ended; v1 runs"
    assert {first.severity, second.severity} == {"problem"}


def test_a_lease_that_nobody_renews_is_a_warning() -> None:
    """Its server has gone, or has another name now; those of today are fine."""
    gone = Subscription(name="cd4sources@east", expires_at=NOON, expired=True)
    there = Subscription(name="cd4sources@west", expires_at=NOON, expired=False)
    [finding] = ended([gone, there])
    assert finding.severity == "warning"
    assert "cd4sources@east since 2026-01-01T12:00:00+00:00" in finding.what


@pytest.mark.parametrize(("free", "severity"), [(10_000, "ok"), (400, "warning"), (10, "problem")])
def test_a_disk_is_judged_by_what_a_server_keeps_free(free: int, severity: str) -> None:
    """512 MiB, or a tenth of a small disk."""
    assert judged(100_000 * MEBIBYTE, free * MEBIBYTE, "hub.data").severity == severity


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('[hub]\nlisen = "x"', 'hub.lisen: unknown key; did you mean "listen"?'),
        ("[hbu]", 'hbu: unknown key; did you mean "hub"?'),
        (
            '[hub.sources.main]\ninsecure = true\nprovider = "github"\nreposiories = []',
            'did you mean "repositories"?',
        ),
        ('[[target]]\nname = "a"\nrepositories = [{ url = "/x", reff = "" }]', '"ref"?'),
        ("[hub]\nzzzzzz = 1", "known are body_limit_bytes, "),
    ],
    ids=["key", "table", "in a table of tables", "in a list", "nothing near"],
)
def test_a_mistyped_key_is_understood(tmp_path: Path, text: str, meant: str) -> None:
    """The nearest one that may stand there."""
    file = tmp_path / "directcd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(file)
    assert meant in str(error.value)
