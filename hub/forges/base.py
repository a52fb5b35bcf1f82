"""
What every forge's API can do for us, and what only some can.

Every method raises a ForgeError (`hub.forges.errors`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from hub.forges.values import Attempt, CommitStatus, Hook, Place


class Forge(Protocol):
    """
    The API of one forge, with the token of one source.

    Attributes:
        provider: its adapter's name.
        web_url: what its repositories' paths follow, without a slash at the end.
        events: what a webhook must be subscribed to, in the forge's own names.
        secret_stays: whether a hook's secret can only be changed by making another hook.
    """

    provider: str
    web_url: str
    events: tuple[str, ...]
    secret_stays: bool

    async def hooks(self, place: Place) -> list[Hook]:
        """All webhooks registered there, also those of others."""

    async def create_hook(self, place: Place, url: str, secret: str) -> Hook:
        """
        Register a webhook: active, in JSON, for the events that are needed.

        The forge may already have one that calls this URL; look at `hooks` before.
        """

    async def update_hook(self, hook: Hook, secret: str) -> Hook:
        """
        Make a webhook what `create_hook` would make, with what else it is subscribed to.

        Its secret becomes `secret`, unless `secret_stays`.
        """

    async def delete_hook(self, hook: Hook) -> None:
        """Remove a webhook; one that is not there any more is no error."""

    async def test_hook(self, hook: Hook) -> None:
        """Have the forge call a webhook now; that it arrives is seen at the hub."""

    async def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        """
        Write beside a commit how it is; the same once more is no error.

        Args:
            repository: its path at the forge, such as `acme/shop`.
            commit: full hash.
            status: what is said.
        """

    async def close(self) -> None:
        """Close every connection."""


@runtime_checkable
class Redelivering(Protocol):
    """A forge that remembers its deliveries, and repeats them when it is asked to."""

    async def attempts(self, hook: Hook, since: datetime) -> list[Attempt]:
        """What it has tried to deliver since then, newest first; it forgets after some days."""

    async def redeliver(self, hook: Hook, attempt: Attempt) -> None:
        """Have it deliver once more, with the same guid."""


@runtime_checkable
class Deploying(Protocol):
    """A forge that shows deployments, each of one commit to one environment."""

    async def create_deployment(self, repository: str, commit: str, environment: str) -> int:
        """Begin one; its number."""

    async def set_deployment(self, repository: str, deployment: int, status: CommitStatus) -> None:
        """Say how one goes."""

    async def end_deployment(self, repository: str, deployment: int) -> None:
        """Say that nothing more will come of one: another has taken its place."""


def of_url(hooks: Sequence[Hook], url: str) -> list[Hook]:
    """Those that call this URL, the oldest first."""
    return sorted((hook for hook in hooks if hook.url == url), key=lambda hook: hook.id)
