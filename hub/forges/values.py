"""What is asked of forges and what they tell, the same for all of them: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

StatusState = Literal["pending", "success", "failure"]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a webhook is registered.

    Attributes:
        name: `owner/name` of a repository, or the name of an organisation.
        is_organisation: whether it is that: the hook then fires for all of its repositories.
    """

    name: str
    is_organisation: bool = False

    def __str__(self) -> str:
        """As people read it."""
        return f"organisation {self.name}" if self.is_organisation else self.name


@dataclass(frozen=True, slots=True)
class Hook:
    """
    A registered webhook; its secret is told by no forge.

    Attributes:
        id: its number at the forge.
        place: where.
        url: what it calls.
        events: the forge's own names, sorted.
        is_active: whether it calls anything.
        content_type: `json` or `form`; GitLab knows only the first.
        branch_filter: a glob over the branches whose pushes it is told of; "" for all.
        kept: what an update must send again to keep it; it may hold a credential.
    """

    id: int
    place: Place
    url: str
    events: tuple[str, ...]
    is_active: bool = True
    content_type: str = "json"
    branch_filter: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One attempt of a forge to deliver something.

    Attributes:
        id: its own number.
        guid: of the delivery: all attempts at it have the same.
        event: the forge's own name.
        at: when, UTC.
        status_code: what the receiver answered; 0 when it did not.
        status: the forge's own words for it.
    """

    id: int
    guid: str
    event: str
    at: datetime
    status_code: int
    status: str = ""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver took it (2xx)."""
        return 200 <= self.status_code < 300  # noqa: PLR2004 - what HTTP calls success


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """
    What stands beside a commit at the forge.

    Attributes:
        context: who says so; a later one of the same context takes its place.
        state: how it is.
        description: one short sentence.
        url: where more is told; "" for nowhere.
    """

    context: str
    state: StatusState
    description: str
    url: str = ""
