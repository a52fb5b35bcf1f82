"""
Whether a webhook works: the forge is asked to call it, and the hub what came.

Nothing else is proof. A forge says that it took a webhook, not that it can call the address.
"""

import asyncio
from dataclasses import dataclass

from cd4sources.http import HttpError
from directcd.exits import Exit
from directcd.hooks import outcomes
from directcd.hooks.choosing import Chosen
from directcd.hooks.outcomes import Trouble
from directcd.hooks.reasons import Reasons
from directcd.hooks.witness import Moment, Witness
from directcd.why import Listed
from hub.forges.base import Forge
from hub.forges.errors import ForgeError, ForgeRefused
from hub.forges.values import Hook

PAUSE_SECONDS = 0.25
GRACE_SECONDS = 2.0
"""How much longer it waits when something was refused: that may have been another webhook's."""

_HOOK_ID = "x-github-hook-id"
# What a forge without a route for tests answers, and 0: we know that it has none.
_NO_TEST = frozenset({0, 404, 405})
_PUSH = "this forge has no test for it: push something, and look at `directcd deliveries list`"


@dataclass(frozen=True)
class Proof:
    """
    What a test showed.

    Attributes:
        delivery: number at the hub of what came; 0: nothing did.
        signed_by: where the secret is written that verified it.
        trouble: why nothing came, or not as it should.
        note: what should be otherwise, although it works.
        is_untestable: whether the forge has no test for it, so that it may be well.
    """

    delivery: int = 0
    signed_by: str = ""
    trouble: Trouble | None = None
    note: str = ""
    is_untestable: bool = False


@dataclass(frozen=True)
class Prover:
    """
    Proves webhooks of one place.

    Attributes:
        chosen: the place, and its source.
        forge: is asked to call.
        witness: tells what came.
        reasons: says why nothing came.
        wait_seconds: how long is waited for it.
    """

    chosen: Chosen
    forge: Forge
    witness: Witness
    reasons: Reasons
    wait_seconds: float

    async def prove(self, hook: Hook) -> Proof:
        """Have the forge call a webhook, and see what the hub got."""
        try:
            before = await self.witness.now(self.chosen.source)
            said, is_untestable = await self._asked(hook)
            if said and (is_untestable or said.code == Exit.FORBIDDEN):
                return Proof(trouble=said, is_untestable=is_untestable)
            wait = min(GRACE_SECONDS, self.wait_seconds) if said else self.wait_seconds
            if came := await self._awaited(hook, before, wait):
                return await self._judged(came)
            return Proof(trouble=await self.reasons.why(hook, before, said))
        except HttpError as error:
            return Proof(trouble=outcomes.of_hub(error))

    async def _asked(self, hook: Hook) -> tuple[Trouble | None, bool]:
        """Ask for a call; what the forge has to say against it, and whether it has no test."""
        try:
            await self.forge.test_hook(hook)
        except ForgeRefused as error:
            said = outcomes.of_forge(error, self.forge.provider, hook.place)
            if error.status in _NO_TEST:
                step = error.next_step if not error.status else _PUSH
                return Trouble(str(error), step), True
            return said, False
        except ForgeError as error:
            return outcomes.of_forge(error, self.forge.provider, hook.place), False
        return None, False

    async def _awaited(self, hook: Hook, before: Moment, wait: float) -> Listed | None:
        clock = asyncio.get_running_loop().time
        until, has_grace = clock() + wait, False
        while True:
            for one in await self.witness.deliveries(self.chosen.source, before):
                if await self._is_of(hook, one):
                    return one
            if not has_grace and await self.witness.refusals(self.chosen.source, before):
                until, has_grace = min(until, clock() + GRACE_SECONDS), True
            if clock() >= until:
                return None
            await asyncio.sleep(PAUSE_SECONDS)

    async def _is_of(self, hook: Hook, one: Listed) -> bool:
        if self.forge.provider == "github":
            return (await self.witness.headers(one.number)).get(_HOOK_ID) == str(hook.id)
        is_test = not self.forge.secret_stays or _is_test(one)
        return is_test and self.chosen.is_told_of(one.repository)

    async def _judged(self, came: Listed) -> Proof:
        """Which secret signed it, and by which name the repository is known."""
        chosen, key = self.chosen, came.repository
        source = await self.witness.source(chosen.source)
        current = source.current if source else came.signed_by
        trouble = None
        if came.signed_by != current:
            reason = f"it still signs with an older secret ({came.signed_by})"
            trouble = Trouble(reason, "`directcd hook rotate`", is_wrong_secret=True)
        note = ""
        if key and not chosen.is_known_by(key):
            note = f"its deliveries name {key}: if that is the same, give the source host_aliases"
        number = 0 if trouble else came.number
        return Proof(number, came.signed_by, trouble, note)


def _is_test(one: Listed) -> bool:
    """
    Whether a push of Gitea's is its test, which moves nothing, or from 1.24 on has no hashes.

    No header says which webhook a delivery is of, and a real push may come meanwhile.
    """
    changes = one.explanation.changes
    return one.verdict == "ignored" or any(change.before == change.after for change in changes)
