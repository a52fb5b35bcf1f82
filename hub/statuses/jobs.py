"""What is to be sent: a commit status or a deployment, and whether that is news. Pure."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from hub.forges.values import CommitStatus
from hub.statuses.memory import Said
from hub.statuses.places import Spot
from hub.statuses.wording import When

Kind = Literal["status", "deployment"]


@dataclass(frozen=True, slots=True)
class Job:
    """
    One thing to be said of one commit.

    Attributes:
        kind: how it is said.
        target: of which.
        spot: the commit.
        status: what is said.
        when: see `Word`.
    """

    kind: Kind
    target: str
    spot: Spot
    status: CommitStatus
    when: When

    @property
    def line(self) -> str:
        """Under which it is remembered; a newer job of the same line takes its place."""
        return f"{self.kind} {self.spot}"

    @property
    def digest(self) -> str:
        """Of what it says; where more is told does not make it news."""
        text = f"{self.status.state} {self.status.description}"
        return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()

    def is_news(self, said: Said | None) -> bool:
        """Whether it is to be sent, after what was said before."""
        if said and said.digest == self.digest:
            return False
        if not said or said.state == "refused":
            return self.when != "to end"
        return self.when == "always" or said.state == "pending"
