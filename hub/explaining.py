"""
Why a push reached a subscriber, or did not: one value, computed once, shown everywhere.

The same `Explanation` is the webhook's response (forges display it) and what is remembered of the
delivery, so that what a person reads later is what the forge was told.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from adapters import Outcome, RefChange, Repository
from hub.notification import primary_key
from hub.subscriptions import Mismatch

CHANGES_SHOWN = 100  # refs an answer lists; a delivery may have thousands

Verdict = Literal["matched", "no-match", "ignored", "ping", "duplicate"]
Explained = dict[str, Any]  # an explanation as plain values


_NOT_KNOWN = "who wants this push is not known yet, because the hub's log cannot be reached"
_NOTHING = "nothing to do"
_TOLD_LATER = "nothing to do: whoever wants it will be told when the log is back"


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What became of a delivery, and what to do next.

    Attributes:
        delivery: the provider's own delivery id.
        verdict: one word.
        reason: one sentence.
        event: repository, ref, before and after of the (first) change; None when there is none.
        changes: ref, before and after of every change, up to a limit.
        more: how many changes there are beyond it.
        matched: names of the subscriptions that take it.
        nearest: those that nearly do, with the first condition that failed.
        next: what to do when this is not what was expected.
    """

    delivery: str
    verdict: Verdict
    reason: str
    event: dict[str, Any] | None
    changes: list[dict[str, Any]]
    more: int
    matched: list[str]
    nearest: list[Mismatch]
    next: str

    def as_json(self) -> Explained:
        """Plain values, ready for JSON."""
        # Written out: this is done for every delivery, and `asdict` copies deeply.
        return {
            "delivery": self.delivery,
            "verdict": self.verdict,
            "reason": self.reason,
            "event": self.event,
            "changes": self.changes,
            "more": self.more,
            "matched": self.matched,
            "nearest": [asdict(miss) for miss in self.nearest],
            "next": self.next,
        }


def explain(
    outcome: Outcome, matched: list[str], nearest: list[Mismatch], *, known: bool = True
) -> Explanation:
    """
    The explanation of a verified delivery, taken as news.

    Args:
        outcome: what the delivery means.
        matched: names of the subscriptions that take it.
        nearest: those that nearly do.
        known: whether the log has told this hub yet who wants what.
    """
    verdict = _verdict(outcome, matched)
    if verdict == "no-match" and not known:
        return replace(explain(outcome, matched, nearest), reason=_NOT_KNOWN, next=_TOLD_LATER)
    return Explanation(
        delivery=outcome.delivery_id,
        verdict=verdict,
        reason=_reason(outcome, verdict, matched),
        event=_event(outcome),
        changes=[_change(change) for change in outcome.changes[:CHANGES_SHOWN]],
        more=max(0, len(outcome.changes) - CHANGES_SHOWN),
        matched=matched,
        nearest=nearest if verdict == "no-match" else [],
        next=_next_step(outcome, verdict, nearest),
    )


def explain_repeat(news: Explained) -> Explained:
    """What the same delivery's explanation becomes when its news is known already."""
    return news | {
        "verdict": "duplicate",
        "reason": "the same news was received before, and is not told twice",
        "next": _next_step_of_repeat(news),
    }


def named_by_hand(explained: Explained, why: str, to: str) -> Explained:
    """The explanation of what a person had told: it says so, and if it is for one alone."""
    alone = f", for {to} alone" if to else ""
    return explained | {"reason": f"{why}{alone}: {explained['reason']}"}


def explain_old_name(
    explained: Explained, repository: Repository, olds: Sequence[str], stale: Sequence[str]
) -> Explained:
    """
    The explanation of a push that some take by a name which the repository had before.

    Args:
        explained: without that.
        repository: as it is called now.
        olds: the full names it had, "" where the provider did not say.
        stale: the subscriptions that know it by none that it has now.
    """
    new = repository.full_name
    renamed = "".join(f"; {old or 'an old name'} is now {new}" for old in olds)
    url = repository.clone_url or primary_key(repository)
    step = f"change the URL in the [[target]] of {', '.join(stale)} to {url}"
    return explained | {"reason": explained["reason"] + renamed, "next": step}


def _next_step_of_repeat(news: Explained) -> str:
    if news["matched"]:
        return "to build the same commit again: POST /v1/targets/{target}/refresh at the server"
    # By the time it is a repeat the log was back.
    return _NOTHING if news["next"] == _TOLD_LATER else str(news["next"])


def _verdict(outcome: Outcome, matched: list[str]) -> Verdict:
    if outcome.notify:
        return "matched" if matched else "no-match"
    return "ping" if outcome.kind in {"ping", "test"} else "ignored"


def _reason(outcome: Outcome, verdict: Verdict, matched: list[str]) -> str:
    count = len(outcome.changes)
    push = "this push" if count == 1 else f"this push of {count} refs"
    if verdict == "matched":
        who = "1 subscription wants" if len(matched) == 1 else f"{len(matched)} subscriptions want"
        return f"{who} {push}"
    if verdict == "no-match":
        return f"no subscription wants {push}"
    return outcome.reason


def _event(outcome: Outcome) -> dict[str, Any] | None:
    if outcome.repository is None:
        return None
    event: dict[str, Any] = {"repository": primary_key(outcome.repository)}
    for change in outcome.changes[:1]:
        event |= _change(change)
    return event


def _change(change: RefChange) -> dict[str, Any]:
    return {"ref": change.ref, "before": change.before, "after": change.after}


def _next_step(outcome: Outcome, verdict: Verdict, nearest: list[Mismatch]) -> str:
    if verdict == "no-match":
        return _mend(nearest[0]) if nearest else _subscribe(outcome)
    if verdict == "ping":
        return "the webhook works: push something"
    return _NOTHING


def _mend(near: Mismatch) -> str:
    if near.failed == "ref":
        return (
            f"push to what it wants ({near.wanted}), or let {near.subscription} follow {near.got}: "
            f'set ref = "{near.got}" in its [[target]], or subscribe again with it'
        )
    if near.failed == "paths":
        return f"nothing to do, or add a file of this push to the paths of {near.subscription}"
    if near.failed == "paused":
        return f"{near.subscription} is paused, and goes on from here after {near.wanted}"
    if near.failed == "lease":
        return (
            f"start {near.subscription} again, see why it does not reach this hub, or renew it: "
            f"{near.wanted}"
        )
    return (
        f"{near.subscription} wants {near.wanted}, this is {near.got}: correct the URL in its "
        "[[target]] or, if one forge goes by both names, set host_aliases at the hub's source"
    )


def _subscribe(outcome: Outcome) -> str:
    repository = outcome.repository
    url = repository.clone_url or primary_key(repository) if repository else ""
    return (
        f'add {{ url = "{url}" }} to the repositories of a [[target]] of a server '
        "whose `hub` is this one, and start it"
    )
