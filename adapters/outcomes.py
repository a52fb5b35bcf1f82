"""What a delivery means, in the words that all providers share."""

from collections.abc import Iterable
from typing import NamedTuple

from adapters.delivery import Kind, Outcome, RefChange, Repository

_PUSH = "Refs of the repository changed."
_TEST = "A test delivery: nothing changed, and subscribers look once."
_EMPTY_TEST = "A test delivery whose hashes are all zero: it names nothing to look at."
_NO_REFS = "The push names no ref: there is nothing to look at."
_OTHER = "Events of this kind say nothing about pushed refs."


class Listed(NamedTuple):
    """The commits that a push lists: the last fields of the outcome, in their order."""

    commits: int | None = None
    total: int | None = None
    truncated: bool | None = None
    paths: frozenset[str] = frozenset()


NOTHING_LISTED = Listed()


def pushed(
    event: str,
    delivery_id: str,
    repository: Repository,
    changes: Iterable[RefChange],
    listed: Listed = NOTHING_LISTED,
) -> Outcome:
    """Return the outcome of a push: news, or a test when no hash changed."""
    changes = tuple(changes)
    kind, notify, reason = _verdict(changes)
    return Outcome(kind, notify, reason, delivery_id, event, repository, changes, *listed)


def unremarkable(
    event: str,
    delivery_id: str,
    repository: Repository | None,
    *,
    kind: Kind = "other",
    reason: str = _OTHER,
    changes: tuple[RefChange, ...] = (),
) -> Outcome:
    """Return the outcome of a delivery that nobody needs to be told."""
    return Outcome(
        kind=kind,
        notify=False,
        reason=reason,
        delivery_id=delivery_id,
        event=event,
        repository=repository,
        changes=changes,
    )


def _verdict(changes: tuple[RefChange, ...]) -> tuple[Kind, bool, str]:
    if not changes:
        return "push", False, _NO_REFS
    for change in changes:
        if change.before != change.after:
            return "push", True, _PUSH
    if any(change.after for change in changes):
        return "test", True, _TEST
    return "test", False, _EMPTY_TEST
