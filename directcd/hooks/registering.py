"""Registering webhooks: made or mended where one is, never doubled, and proven."""

from dataclasses import dataclass, field, replace
from http import HTTPStatus

from directcd.hooks.choosing import Chosen
from directcd.hooks.judging import Judged, faults_of, judged, leaves_out
from directcd.hooks.outcomes import Outcome, Trouble
from directcd.hooks.proving import Proof, Prover
from hub.forges.base import Forge, of_url
from hub.forges.errors import ForgeRefused
from hub.forges.values import Hook

NOTHING_THERE = Trouble("no webhook there calls this URL", "`directcd hook create`")


@dataclass(frozen=True)
class Desk:
    """
    Where the webhooks of one place are seen to. Its methods raise ForgeError.

    Attributes:
        chosen: the place, and its source.
        forge: of the source.
        secret: what webhooks sign with; "" for nothing.
        prover: of this place.
        is_dry: whether all is only said.
    """

    chosen: Chosen
    forge: Forge
    secret: str = field(repr=False)
    prover: Prover
    is_dry: bool = False

    async def create(self) -> Outcome:
        """Make a webhook, or what is there what it should be, and prove it."""
        ours = of_url(await self.forge.hooks(self.chosen.place), self.chosen.url)
        notes = _told(ours[1:])
        if self.is_dry:
            return self._would(ours[0] if ours else None, notes)
        hook, did = await self._made_or_mended(ours)
        return await self._proven(hook, did, (*notes, *_filtered(hook)))

    async def judge(self) -> list[Judged]:
        """Every webhook of the place, and what is wrong with it."""
        hooks = await self.forge.hooks(self.chosen.place)
        return judged(hooks, self.chosen.url, self.forge.events)

    async def test(self) -> list[Outcome]:
        """Prove what is there, and change nothing."""
        ours = of_url(await self.forge.hooks(self.chosen.place), self.chosen.url)
        if not ours:
            return [self.outcome(trouble=NOTHING_THERE)]
        if self.is_dry:
            return [self.outcome("would be tested", one) for one in ours]
        return [await self._tested(one) for one in ours]

    async def _tested(self, hook: Hook) -> Outcome:
        outcome = self._of(await self.prover.prove(hook), hook, "tested")
        faults = faults_of(hook, self.forge.events)
        if outcome.trouble or not faults:
            return outcome
        # Forges deliver tests also where no push would come.
        what = f"a test comes, and not every push may: {'; '.join(faults)}"
        trouble = Trouble(what, "directcd hook repair")
        return replace(outcome, trouble=trouble)

    async def repair(self) -> list[Outcome]:
        """Mend what is wrong with the webhook of ours, remove others of its URL, and prove it."""
        ours = of_url(await self.forge.hooks(self.chosen.place), self.chosen.url)
        if not ours:
            return [self.outcome(trouble=NOTHING_THERE)]
        if self.is_dry:
            would = [self.outcome("would be removed", one) for one in ours[1:]]
            return [self._would(ours[0], ()), *would]
        first, *more = ours
        all_branches = replace(first, branch_filter="") if leaves_out(first) else first
        hook = await self.forge.update_hook(all_branches, self.secret)
        mended = await self._proven(hook, "repaired", ())
        # Only now: one of these may be what has worked until here.
        return [mended, *([await self._removed(one) for one in more])]

    async def delete(self, number: int = 0) -> list[Outcome]:
        """Remove those with our URL, or the one of a number."""
        hooks = await self.forge.hooks(self.chosen.place)
        unwanted = (
            [one for one in hooks if one.id == number] if number else of_url(hooks, self.chosen.url)
        )
        if not unwanted:
            which = f"{number} is not there" if number else "that calls this URL is not there"
            return [self.outcome(f"{which}: nothing to remove")]
        if self.is_dry:
            return [self.outcome("would be removed", one) for one in unwanted]
        return [await self._removed(one) for one in unwanted]

    def outcome(
        self,
        did: str = "",
        hook: Hook | None = None,
        *,
        trouble: Trouble | None = None,
        notes: tuple[str, ...] = (),
    ) -> Outcome:
        """What came of this place."""
        chosen, number = self.chosen, hook.id if hook else 0
        url = hook.url if hook else chosen.url
        return Outcome(chosen.source, chosen.place, url, did, number, 0, trouble, notes)

    async def _made_or_mended(self, ours: list[Hook]) -> tuple[Hook, str]:
        if ours:
            return await self.forge.update_hook(ours[0], self.secret), "updated"
        try:
            return await self._made(), "created"
        except ForgeRefused as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            # Somebody may have been faster: https://docs.github.com/rest/repos/webhooks
            place, url = self.chosen.place, self.chosen.url
            if theirs := of_url(await self.forge.hooks(place), url):
                return await self.forge.update_hook(theirs[0], self.secret), "updated"
            raise

    async def _made(self) -> Hook:
        return await self.forge.create_hook(self.chosen.place, self.chosen.url, self.secret)

    async def _proven(self, hook: Hook, did: str, notes: tuple[str, ...]) -> Outcome:
        proof = await self.prover.prove(hook)
        if not (proof.trouble and proof.trouble.is_wrong_secret and self.forge.secret_stays):
            return self._of(proof, hook, did, notes)
        if did == "created":
            return self._of(proof, hook, did, notes)
        # There the secret of a webhook never changes.
        fresh = await self._made()
        await self.forge.delete_hook(hook)
        did = f"made anew instead of {hook.id}, whose secret was another"
        return self._of(await self.prover.prove(fresh), fresh, did, notes)

    async def _removed(self, hook: Hook) -> Outcome:
        await self.forge.delete_hook(hook)
        return self.outcome("removed", hook)

    def _of(self, proof: Proof, hook: Hook, did: str, notes: tuple[str, ...] = ()) -> Outcome:
        more = (*notes, proof.note) if proof.note else notes
        outcome = self.outcome(did, hook, trouble=proof.trouble, notes=more)
        return replace(outcome, delivery=proof.delivery)

    def _would(self, hook: Hook | None, notes: tuple[str, ...]) -> Outcome:
        if hook is None:
            return self.outcome("would be created", notes=notes)
        return self.outcome("would be updated", hook, notes=notes)


def _filtered(hook: Hook) -> tuple[str, ...]:
    # Somebody may have wanted that.
    said = f"it leaves out all branches but {hook.branch_filter}, as before"
    return (f"{said}: `directcd hook repair` mends it",) if leaves_out(hook) else ()


def _told(more: list[Hook]) -> tuple[str, ...]:
    if not more:
        return ()
    others = ", ".join(str(one.id) for one in more)
    return (f"the same URL is called by webhook {others}, too: `directcd hook repair` removes it",)
