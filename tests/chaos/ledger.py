"""What was pushed, every attempt to deliver it, and what came of it: the truth of the run."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support import deliveries

REPOSITORIES = 50
ZERO = "0" * 40


@dataclass(slots=True)
class Attempt:
    """One POST to one hub process; `status` is 0 when there was no answer."""

    hub: str
    began: float
    ended: float
    status: int
    what: str


@dataclass(slots=True)
class Push:
    """One push: the `number`-th of its repository. `after` names it everywhere."""

    repository: int
    number: int
    post: deliveries.Post
    after: str
    attempts: list[Attempt] = field(default_factory=list)
    copies: list[Attempt] = field(default_factory=list)
    acknowledged: Attempt | None = None

    def __str__(self) -> str:
        tries = [*self.attempts, *(f"copy: {copy}" for copy in self.copies)]
        return f"push {self.number} of repository {self.repository} ({self.after}): {tries}"


def url(repository: int) -> str:
    """A repository's clone URL."""
    return f"https://git.example.com/acme/r{repository}.git"


def _commit(repository: int, number: int) -> str:
    return f"{repository + 1:08x}{number:032x}" if number else ZERO


class Ledger:
    """Every push of a run, by repository and by commit."""

    def __init__(self) -> None:
        self.of: list[list[Push]] = [[] for _ in range(REPOSITORIES)]
        self.by_after: dict[str, Push] = {}

    def new(self, repository: int) -> Push:
        """The next push of a repository."""
        number = len(self.of[repository]) + 1
        after = _commit(repository, number)
        post = deliveries.push(after, _commit(repository, number - 1), url=url(repository))
        made = Push(repository, number, post, after)
        self.of[repository].append(made)
        self.by_after[after] = made
        return made

    def acknowledged(self) -> Iterator[Push]:
        """Those that somebody answered with success."""
        return (push for push in self.by_after.values() if push.acknowledged)

    def attempts(self) -> Iterator[Attempt]:
        """All, copies included."""
        for push in self.by_after.values():
            yield from push.attempts
            yield from push.copies
