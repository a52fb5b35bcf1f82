"""
A commit that a notification named, and looking for it until the remote shows it.

Forges answer from replicas, so that a webhook may be ahead of what git is told. What a notification
says is never fetched; it only says that the remote will soon show something new. A forged one costs
these few looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cd4sources.notifications import Notification
from cd4sources.targets import Repository

PAUSES_SECONDS = tuple(0.2 * 2**look for look in range(8))
"""Between the looks, 51 s in all: longer than a forge's replicas lag. Polls go on after that."""

_BRANCH = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Announced:
    """Which of a target's repositories will show which commit; and how often it was looked for."""

    number: int
    commit: str
    looks: int = 0

    def again(self) -> "Announced":
        """The same, looked for once more."""
        return replace(self, looks=self.looks + 1)


def announced_by(
    notification: Notification, repositories: Sequence[Repository]
) -> Announced | None:
    """What a notification announces to a target, if it is about one of its refs and not deleted."""
    if notification.after is None:
        return None
    for number, one in enumerate(repositories):
        if one.keys & notification.keys and _follows(one, notification):
            return Announced(number, notification.after)
    return None


def _follows(repository: Repository, notification: Notification) -> bool:
    """A repository without a ref follows the default branch; another one's commit is not for it."""
    ref = repository.ref or f"{_BRANCH}{notification.default_branch}"
    return ref == notification.ref


def never_shown(announced: Announced, url: str) -> str:
    """The sentence about an announced commit that the remote has not shown."""
    return (
        f"commit {announced.commit} was announced, but {url} does not show it: overwritten since, "
        "forged, or a replica of the forge lags; next: see the repository; polls go on"
    )
