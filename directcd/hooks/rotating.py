"""
A new secret for all webhooks of a source, while pushes keep coming.

The hub reads the old secret beside the new one, so that either verifies. Every webhook is given the
new one and proven before anything of the old is taken away; what fails before that is put back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cd4sources.http import HttpError
from directcd.hooks import outcomes
from directcd.hooks.ending import AGAIN, Ending
from directcd.hooks.outcomes import Outcome, Trouble
from directcd.hooks.overlap import Overlap
from directcd.hooks.registering import Desk
from directcd.hooks.turning import TURNED, Turn, freed, turned, turned_back
from directcd.hooks.witness import Source, Witness
from directcd.hooks.working import failed
from hub.forges.base import of_url
from hub.forges.errors import ForgeError, ForgeRefused
from hub.forges.values import Hook


class Stopped(Exception):
    """It cannot begin; nothing has changed."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.sentence)
        self.trouble = trouble


@dataclass(frozen=True)
class _Place:
    """A desk, and the webhooks of ours that were there."""

    desk: Desk
    ours: list[Hook]


@dataclass(frozen=True)
class _Way:
    """How far it came: what was turned over, what was touched at all, and what stopped it."""

    turns: list[Turn] = field(default_factory=list)
    touched: list[_Place] = field(default_factory=list)
    errors: list[Outcome] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every place is turned over, as far as the forge lets it be tested."""
        return not self.errors and all(one.is_proven or one.is_open for one in self.turns)


@dataclass(frozen=True)
class Rotation:
    """
    One source's.

    Attributes:
        source: its name.
        desks: of the places that are turned over; at least one.
        overlap: the source's files.
        witness: the hub.
        ending: says when the old secret may be forgotten.
        tell: is told what a person should know meanwhile.
    """

    source: str
    desks: Sequence[Desk]
    overlap: Overlap
    witness: Witness
    ending: Ending
    tell: Callable[[str], None]

    async def run(self) -> list[Outcome]:
        """
        Rotate, or go on with what was begun; what came of each place, and of the source.

        Raises:
            OSError: a secret file cannot be written.
        """
        is_resumed = self.overlap.is_under_way
        try:
            places = await self._places()
            await self._agreed()
            await self._begun(is_resumed=is_resumed)
        except Stopped as error:
            return [self._whole("not rotated", error.trouble)]
        way = await self._gone(places, is_resumed=is_resumed)
        if not way.is_whole:
            found = [one.outcome("tried") for one in way.turns if not one.is_proven]
            return [*found, *way.errors, await self._put_back(way, is_resumed=is_resumed)]
        found = [await freed(one) if one.is_proven else one.outcome(TURNED) for one in way.turns]
        return [*found, await self._ended(found)]

    async def would(self) -> list[Outcome]:
        """What `run` would do, without doing it."""
        try:
            places = await self._places()
            await self._agreed()
        except Stopped as error:
            return [self._whole("would not be rotated", error.trouble)]
        did = "would be given a new secret"
        return [place.desk.outcome(did, hook) for place in places for hook in place.ours]

    async def _places(self) -> list[_Place]:
        """Where webhooks of ours are: a token that is wrong shows before anything changes."""
        found = []
        for desk in self.desks:
            try:
                hooks = await desk.forge.hooks(desk.chosen.place)
            except ForgeError as error:
                trouble = outcomes.of_forge(error, desk.forge.provider, desk.chosen.place)
                raise Stopped(trouble) from error
            if ours := of_url(hooks, desk.chosen.url):
                found.append(_Place(desk, ours))
            else:
                self.tell(f"{desk.chosen.place}: no webhook there calls our URL, left out")
        if not found:
            raise Stopped(Trouble("there is no webhook to rotate", "`directcd hook create`"))
        return found

    async def _agreed(self) -> None:
        """See that the hub reads the file which is to be exchanged."""
        source, file = await self._source(), self.overlap.file
        if source.current != str(file):
            reason = f"the hub's current secret is in {source.current or 'no file'}, not in {file}"
            raise Stopped(Trouble(reason, "call this with the directcd.toml, and where, it runs"))
        if source.unreadable:
            reason = f"the hub cannot read {', '.join(source.unreadable)}"
            raise Stopped(Trouble(reason, "let the user that it runs as read it (chown)"))

    async def _begun(self, *, is_resumed: bool) -> None:
        """Put both secrets on disk, the new one when the hub reads the old."""
        if is_resumed:
            self.tell(f"going on with a rotation that has not ended: {self.overlap.previous}")
        self.overlap.begin()
        read = [one.place for one in (await self._source()).secrets if one.readable]
        if str(self.overlap.previous) not in read:
            if not is_resumed:
                self.overlap.end()
            step = "let the user that it runs as read it; a hub of an earlier version does not"
            raise Stopped(Trouble(f"the hub does not read {self.overlap.previous}", step))
        self.overlap.advance()

    async def _gone(self, places: Sequence[_Place], *, is_resumed: bool) -> _Way:
        """Every place turned over, until one fails."""
        way, secret = _Way(), self.overlap.new()
        for place in places:
            desk = replace(place.desk, secret=secret)
            try:
                turn = await turned(desk, place.ours, is_resumed=is_resumed)
            except ForgeError as error:
                way.errors.append(failed(desk, error))
                if not isinstance(error, ForgeRefused):  # it may have been done all the same
                    way.touched.append(place)
                break
            way.touched.append(place)
            way.turns.append(await self._seen(turn) if turn.is_open else turn)
            if not way.is_whole:
                break
        return way

    async def _seen(self, turn: Turn) -> Turn:
        try:
            return await self.ending.seen(turn)
        except HttpError:  # then it is not proven yet
            return turn

    async def _put_back(self, way: _Way, *, is_resumed: bool) -> Outcome:
        """Let all be as it was, unless an earlier call has removed some of that."""
        kept = f"both secrets go on verifying ({self.overlap.previous})"
        if is_resumed:
            return self._whole("not rotated yet", Trouble(kept, AGAIN))
        try:
            for place in way.touched:
                await turned_back(place.desk, place.ours, self.overlap.old())
        except ForgeError as error:
            reason = f"not all could be put back ({error}): {kept}"
            return self._whole("not rotated yet", Trouble(reason, AGAIN))
        self.overlap.put_back()
        trouble = Trouble("all is as it was, with the old secret", "mend that, and rotate again")
        return self._whole("not rotated", trouble)

    async def _ended(self, found: Sequence[Outcome]) -> Outcome:
        """Forget the old secret, unless somebody may still sign with it."""
        are_proven = not any(one.trouble for one in found)
        if reason := await self.ending.still_needed(are_proven=are_proven):
            return self._whole(f"rotated, and {self.overlap.previous} stays", reason)
        self.overlap.end()
        return self._whole("rotated: every webhook signs with the new secret")

    async def _source(self) -> Source:
        try:
            found = await self.witness.source(self.source)
        except HttpError as error:
            raise Stopped(outcomes.of_hub(error)) from error
        if found is None:
            reason = f"the hub that runs has no source {self.source}"
            step = "start it anew with this directcd.toml, or name its --hub"
            raise Stopped(Trouble(reason, step))
        return found

    def _whole(self, did: str, trouble: Trouble | None = None) -> Outcome:
        url = self.desks[0].chosen.url
        return Outcome(self.source, None, url, did, trouble=trouble)
