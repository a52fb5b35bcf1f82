"""What a person is told to look at first."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.dashboard import attention
from hub.log.refused import Refusal
from hub.log.values import SecretUse
from hub.rules import Subscription
from hub.servers import ServerState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def refusal(minutes_ago: float, code: str = "bad-signature") -> Refusal:
    """A delivery to the source `main` that was refused."""
    at = NOW - timedelta(minutes=minutes_ago)
    words = (code, "it does not match", "give it the secret", "192.0.2.1")
    return Refusal(at, at, "/webhooks/github/main", "github", "main", 401, *words, (), 0, {})


def delivery(number: int, ref: str, verdict: str = "no-match", **rest: Any) -> dict[str, Any]:
    """A delivery as the log gives it back."""
    near = {"subscription": "s1", "failed": "ref", "wanted": "refs/heads/main", "got": ref}
    return {
        "number": number,
        "received_at": NOW.isoformat(),
        "repository": "git.test/shop",
        "ref": ref,
        "verdict": verdict,
        "explanation": {"event": {"after": "a" * 40}, "nearest": [near | rest]},
    }


def causes(items: Any) -> list[tuple[str, str]]:
    """Kind and sentence of each."""
    return [(item.kind, item.cause) for item in items]


def test_a_wrong_signature_is_less_urgent_when_another_was_right_since() -> None:
    """It is not gone: the source may have several webhooks."""
    use = SecretUse("main", "", NOW - timedelta(minutes=5), 1)
    [(kind, cause)] = causes(attention.of_refusals([refusal(10)], [use], NOW))
    assert (kind, "others were accepted since" in cause) == ("warn", True)
    [(kind, _)] = causes(attention.of_refusals([refusal(1)], [use], NOW))
    assert kind == "bad"
    [(kind, _)] = causes(attention.of_refusals([refusal(10, "unknown-source")], [use], NOW))
    assert kind == "bad"


def test_what_is_urgent_is_not_pushed_out_by_what_is_not() -> None:
    """So many are shown, the urgent ones first; those of yesterday are not."""
    use = SecretUse("main", "", NOW - timedelta(minutes=5), 1)
    many = [refusal(10 + number) for number in range(9)]
    items = causes(attention.of_refusals([*many, refusal(9, "malformed-delivery")], [use], NOW))
    assert [kind for kind, _ in items] == ["bad", "warn", "warn", "warn", "warn"]
    assert causes(attention.of_refusals([refusal(25 * 60)], [use], NOW)) == []


def test_other_branches_of_a_followed_repository_are_one_item() -> None:
    """It has many, and a mistake elsewhere must be seen."""
    others = [delivery(9 - number, f"refs/heads/f{number}") for number in range(7)]
    wrong = delivery(1, "refs/heads/main", failed="repository", wanted="git.test/shop", got="x/y")
    items = causes(attention.of_unmatched([*others, wrong], NOW))
    assert [cause.partition(":")[0] for _, cause in items] == [
        "Nobody wants pushes of git.test/shop f0",
        "Nobody wants pushes of git.test/shop main",
    ]


def test_what_was_wanted_since_or_is_a_deletion_is_nothing_to_look_at() -> None:
    """The newest of each ref counts."""
    mended = [delivery(2, "refs/heads/main", "matched"), delivery(1, "refs/heads/main")]
    assert causes(attention.of_unmatched(mended, NOW)) == []
    deleted = delivery(1, "refs/heads/f")
    deleted["explanation"]["event"]["after"] = None
    assert causes(attention.of_unmatched([deleted], NOW)) == []


def test_a_lease_that_ended_is_said_in_words() -> None:
    """Of a push it should have heard of, and of itself."""
    ended = delivery(1, "refs/heads/main", failed="lease", wanted="PUT …", got="ended 11:59")
    [(_, cause)] = causes(attention.of_unmatched([ended], NOW))
    assert cause.endswith(": the lease of s1 ended 11:59")
    silent = Subscription("sub_1", "s1", (), NOW - timedelta(minutes=1))
    well = Subscription("sub_2", "s2", (), NOW + timedelta(minutes=1))
    [(kind, cause)] = causes(attention.of_subscribers([silent, well], NOW))
    assert (kind, cause.startswith("s1 is told nothing")) == ("bad", True)


def test_a_server_that_is_away_is_named() -> None:
    """Worse than one that is degraded; one that is ready is not named."""
    states = [ServerState("a", "ready", ""), ServerState("b", "away", "refused")]
    states.append(ServerState("c", "degraded", "its disk is full"))
    assert causes(attention.of_servers(states)) == [
        ("bad", "The server b is away: refused"),
        ("warn", "The server c is degraded: its disk is full"),
    ]
