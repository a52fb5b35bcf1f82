"""Why nothing came of a webhook, as exactly as hub and forge can say it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from directcd.doctor.findings import Finding
from directcd.hooks.choosing import Chosen
from directcd.hooks.outcomes import Trouble
from directcd.hooks.witness import Moment, Source, Witness
from hub.forges.base import Forge, Redelivering
from hub.forges.errors import ForgeError
from hub.forges.values import Attempt, Hook

_WRITTEN_SECONDS = 1.5  # a hub writes once a second what it has refused
_LATELY = timedelta(minutes=5)  # clocks differ
_WRONG_SECRET = "bad-signature"  # noqa: S105 - the hub's word for it
_LOOK = "look at the webhook's recent deliveries at the forge, then `directcd hook test`"


@dataclass(frozen=True)
class Reasons:
    """
    Who may know.

    Attributes:
        chosen: the place, and its source.
        forge: may remember what it has tried.
        witness: remembers what it has refused.
        doubt: what is known of the hub's address beforehand.
    """

    chosen: Chosen
    forge: Forge
    witness: Witness
    doubt: Finding

    async def why(self, hook: Hook, before: Moment, said: Trouble | None) -> Trouble:
        """
        The likeliest reason.

        Args:
            hook: of which nothing came.
            before: when its call was asked for.
            said: what the forge had to say against calling it.

        Raises:
            HttpError: the hub does not answer.
        """
        name = self.chosen.source
        return (
            await self._of_refusals(before)
            or _of_source(name, await self.witness.source(name))
            or said
            or await self._of_attempts(hook)
            or self._of_address()
        )

    async def _of_refusals(self, before: Moment) -> Trouble | None:
        refusals = await self.witness.refusals(self.chosen.source, before)
        if not refusals:
            await asyncio.sleep(_WRITTEN_SECONDS)
            refusals = await self.witness.refusals(self.chosen.source, before)
        for refused in refusals:
            what = f"the hub refused it with {refused.status}: {refused.detail.rstrip('.')}"
            return Trouble(what, refused.next, is_wrong_secret=refused.code == _WRONG_SECRET)
        return None

    async def _of_attempts(self, hook: Hook) -> Trouble | None:
        if not isinstance(self.forge, Redelivering):
            return None
        try:
            attempts = await self.forge.attempts(hook, datetime.now(UTC) - _LATELY)
        except ForgeError:  # that it tells nothing of attempts is no reason
            return None
        return _of_attempt(attempts[0], self.chosen.url) if attempts else None

    def _of_address(self) -> Trouble:
        here = f"see that {self.chosen.url} leads to the hub that was asked at {self.witness.url}"
        if self.doubt.severity != "ok":
            return Trouble(f"nothing came; {self.doubt.what}", f"{here}; {self.doubt.next}")
        if self.forge.secret_stays:
            step = f"{here}; if the repository has no commit, push one; else {_LOOK}"
            return Trouble("nothing came, and this forge does not tell why", step)
        return Trouble("nothing came, and the forge does not tell why", f"{here}; {_LOOK}")


def _of_source(name: str, source: Source | None) -> Trouble | None:
    """What the hub itself lacks."""
    if source is None:
        step = "start it anew with this directcd.toml, or name another --hub"
        return Trouble(f"the hub that runs has no source {name}", step)
    if unreadable := source.unreadable:
        step = "let the user that the hub runs as read it (chown)"
        return Trouble(f"the hub cannot read {', '.join(unreadable)}", step)
    return None


def _of_attempt(attempt: Attempt, url: str) -> Trouble:
    """What the forge's last attempt came to."""
    if attempt.is_delivered:
        what = f"the forge was answered {attempt.status_code}, by somebody else than this hub"
        return Trouble(what, f"see where {url} leads, and which hub --hub names")
    said = f" ({attempt.status})" if attempt.status else ""
    if not attempt.status_code:
        what = f"the forge got no answer from {url}{said}"
        return Trouble(
            what, "see that it is reached from there: name, firewall, proxy, certificate"
        )
    what = f"the forge was answered {attempt.status_code} by {url}{said}"
    return Trouble(what, "see what stands before the hub: it must pass /webhooks/ on")
