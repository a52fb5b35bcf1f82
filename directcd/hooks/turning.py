"""One place of a rotation: its webhook is given the new secret, proven, and the old one removed."""

from dataclasses import dataclass, replace

from directcd.hooks.outcomes import Outcome, Trouble
from directcd.hooks.proving import Proof
from directcd.hooks.registering import Desk
from hub.forges.base import of_url
from hub.forges.errors import ForgeError
from hub.forges.values import Hook

TURNED = "signs with the new secret"


@dataclass(frozen=True)
class Turn:
    """
    A place whose webhook signs with the new secret, or is to.

    Attributes:
        desk: of the place; its secret is the new one.
        hook: the webhook that stays.
        old: those that go when all places are proven.
        made: whether `hook` was made for this.
        proof: what its test showed; None: it was not tested.
    """

    desk: Desk
    hook: Hook
    old: tuple[Hook, ...] = ()
    made: bool = False
    proof: Proof | None = None

    @property
    def is_proven(self) -> bool:
        """Whether a delivery was signed with the new secret."""
        return bool(self.proof and self.proof.delivery)

    @property
    def is_open(self) -> bool:
        """Whether this forge cannot be asked for a test: the next push tells."""
        return bool(self.proof and self.proof.is_untestable)

    def outcome(self, did: str, *, trouble: Trouble | None = None) -> Outcome:
        """What came of it."""
        proof = self.proof or Proof()
        notes = (proof.note,) if proof.note else ()
        found = self.desk.outcome(did, self.hook, trouble=trouble or proof.trouble, notes=notes)
        return replace(found, delivery=proof.delivery)


async def turned(desk: Desk, ours: list[Hook], *, is_resumed: bool) -> Turn:
    """
    Give a place's webhook the new secret, and prove it. Nothing is removed.

    Args:
        desk: of the place.
        ours: the webhooks there that call our URL, the oldest first; at least one.
        is_resumed: whether some may have the new secret already.

    Raises:
        ForgeError: the forge did not do it.
    """
    if not desk.forge.secret_stays:
        first, *more = ours
        hook = await desk.forge.update_hook(first, desk.secret)
        proof = await desk.prover.prove(hook)
        if proof.trouble and proof.trouble.is_wrong_secret:
            # What came may have been on its way already.
            proof = await desk.prover.prove(hook)
        return Turn(desk, hook, tuple(more), proof=proof)
    if is_resumed and (found := await _found(desk, ours)):
        return found
    hook = await desk.forge.create_hook(desk.chosen.place, desk.chosen.url, desk.secret)
    return Turn(desk, hook, tuple(ours), made=True, proof=await desk.prover.prove(hook))


async def turned_back(desk: Desk, ours: list[Hook], secret: str) -> None:
    """
    Let a place's webhooks be as they were, however far it had come. Raises ForgeError.

    Args:
        desk: of the place.
        ours: what was there before.
        secret: the old one.
    """
    if not desk.forge.secret_stays:
        await desk.forge.update_hook(ours[0], secret)
        return
    known = {one.id for one in ours}
    now = of_url(await desk.forge.hooks(desk.chosen.place), desk.chosen.url)
    for one in now:
        if one.id not in known:
            await desk.forge.delete_hook(one)


async def freed(turn: Turn) -> Outcome:
    """Remove the webhooks that a turn has put others in the place of."""
    try:
        for one in turn.old:
            await turn.desk.forge.delete_hook(one)
    except ForgeError as error:
        step = "`directcd hook rotate` once more"
        return turn.outcome(TURNED, trouble=Trouble(f"an old webhook stays: {error}", step))
    return turn.outcome(TURNED)


async def _found(desk: Desk, ours: list[Hook]) -> Turn | None:
    """The webhook that signs with the new secret already, by its test; None: there is none."""
    for number in range(len(ours) - 1, -1, -1):  # the newest is the likeliest
        hook = ours[number]
        proof = await desk.prover.prove(hook)
        rest = tuple(ours[:number] + ours[number + 1 :])
        if proof.delivery or (proof.is_untestable and rest):
            return Turn(desk, hook, rest, proof=proof)
    return None
