"""What a delivery says, the same for every provider: frozen values without behaviour."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["push", "ping", "test", "create", "delete", "repository", "other"]
RefType = Literal["branch", "tag", "other"]


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository a delivery names; texts are empty when the provider does not say."""

    keys: frozenset[str]
    """Repository keys of all its URLs, each also without its port."""
    full_name: str
    """As the provider writes it, such as `Acme/App`."""
    id: int | str | None
    """The provider's own identifier: it survives renames."""
    clone_url: str
    ssh_url: str
    html_url: str
    default_branch: str
    """Short name."""


@dataclass(frozen=True, slots=True)
class RefChange:
    """One ref that was created, moved or deleted."""

    ref: str
    """Always full, such as `refs/heads/main`."""
    ref_type: RefType
    name: str
    """Short name: the ref without `refs/heads/`, `refs/tags/` or `refs/`."""
    before: str | None
    """Full hash; None when the ref did not exist, or the provider does not say."""
    after: str | None
    """Full hash, of a tag object for some annotated tags; None when the ref is gone, or unsaid."""
    created: bool
    deleted: bool
    forced: bool | None = None
    """Was history rewritten? None when the provider does not say."""
    commit: str | None = None
    """The commit a tag points to, where `after` is the tag object."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one verified delivery means."""

    kind: Kind
    notify: bool
    """Should subscribers be told?"""
    reason: str
    """Why, in one sentence."""
    delivery_id: str
    """The provider's id of this delivery; empty when it has none worth showing."""
    event: str
    """The provider's own name of the event."""
    repository: Repository | None = None
    """None when the delivery names none."""
    changes: tuple[RefChange, ...] = ()
    commits_listed: int | None = None
    """How many commits the delivery lists; None for events that list none."""
    commits_total: int | None = None
    """How many commits were pushed; None when the provider does not say."""
    truncated: bool | None = None
    """Are commits missing from the list? None when the provider does not say."""
    paths: frozenset[str] = frozenset()
    """
    Paths touched by the listed commits. They prove nothing when commits are missing from the list,
    when history was rewritten, and when there are none: some providers list no paths at all.
    """
    former_name: str = ""
    """The repository's full name before it was renamed or transferred, where that is the event."""

    @property
    def test(self) -> bool:
        """A delivery made by a "test" button or call: nothing was pushed."""
        return self.kind == "test"
