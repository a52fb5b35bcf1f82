"""What is wrong with a registered webhook. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hub.forges.base import of_url
from hub.forges.values import Hook

_EVERY_BRANCH = frozenset({"", "*", "**"})
_EVERY_EVENT = "*"


@dataclass(frozen=True)
class Judged:
    """
    A webhook, and how it stands.

    Attributes:
        hook: as the forge shows it.
        is_ours: whether it calls our URL.
        faults: what is wrong with it, or strange; empty for others' webhooks.
    """

    hook: Hook
    is_ours: bool
    faults: tuple[str, ...]

    @property
    def url(self) -> str:
        """What it calls; of others' the host alone, for the rest may be their secret."""
        parts = urlsplit(self.hook.url)
        host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return f"{host}{parts.path}" if self.is_ours or self.faults else f"{host}/…"

    def cells(self) -> tuple[str, ...]:
        """For people: number, ours, active, type, events, URL, faults."""
        hook = self.hook
        flags = ("yes" if one else "no" for one in (self.is_ours, hook.is_active))
        events, faults = ", ".join(hook.events), "; ".join(self.faults)
        return (str(hook.id), *flags, hook.content_type, events, self.url, faults)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        hook = self.hook
        return {
            "place": hook.place.name,
            "organisation": hook.place.is_organisation,
            "id": hook.id,
            "url": self.url,
            "ours": self.is_ours,
            "active": hook.is_active,
            "content_type": hook.content_type,
            "events": list(hook.events),
            "branch_filter": hook.branch_filter,
            "wrong": list(self.faults),
        }


def judged(hooks: Sequence[Hook], url: str, events: Sequence[str]) -> list[Judged]:
    """
    Every webhook of a place.

    Args:
        hooks: all of them.
        url: ours.
        events: those that a webhook must be told of, in the forge's names.
    """
    first = of_url(hooks, url)[:1]
    found = []
    for hook in hooks:
        is_ours = hook.url == url
        faults = faults_of(hook, events) if is_ours else _of_neighbour(hook.url, url)
        if is_ours and hook not in first:
            faults = [f"a duplicate of webhook {first[0].id}", *faults]
        found.append(Judged(hook, is_ours, tuple(faults)))
    return found


def faults_of(hook: Hook, events: Sequence[str]) -> list[str]:
    """What is wrong with a webhook of ours by itself."""
    missing = [] if _EVERY_EVENT in hook.events else sorted({*events} - {*hook.events})
    faults = [] if hook.is_active else ["inactive: it calls nothing"]
    if hook.content_type != "json":
        faults.append(f"sends a {hook.content_type} instead of JSON")
    if missing:
        faults.append(f"is not told of {', '.join(missing)}")
    if leaves_out(hook):
        faults.append(f"leaves out all branches but {hook.branch_filter}")
    return faults


def leaves_out(hook: Hook) -> bool:
    """Whether a webhook is called for some branches alone."""
    return hook.branch_filter not in _EVERY_BRANCH


def _of_neighbour(url: str, ours: str) -> list[str]:
    """What is strange about a webhook that nearly calls our URL."""
    there, here = urlsplit(url), urlsplit(ours)
    if there.path == here.path:
        return ["calls another address of this source: an earlier public_url?"]
    below = here.path.rpartition("/webhooks/")[0] + "/webhooks/"
    if there.netloc == here.netloc and there.path.startswith(below):
        return [f"calls another source of this hub: {there.path.removeprefix(below)}"]
    return []
