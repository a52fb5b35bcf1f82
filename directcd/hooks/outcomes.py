"""What came of a webhook: what was done at the forge, and whether it was seen to work."""

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cd4sources.http import BadStatus, HttpError, Unreachable
from directcd.exits import Exit
from directcd.hooks.scopes import scope_of
from hub.forges.errors import ForgeAway, ForgeError, ForgeRefused, RateLimited
from hub.forges.values import Place

_NOT_ALLOWED = frozenset({401, 403, 404})


@dataclass(frozen=True)
class Trouble:
    """
    Why something did not work.

    Attributes:
        reason: one sentence, without a full stop.
        next_step: what to do about it.
        code: what a command ends with because of it.
        is_wrong_secret: whether the hub refused what the webhook had signed.
    """

    reason: str
    next_step: str = ""
    code: Exit = Exit.FAILED
    is_wrong_secret: bool = False

    @property
    def sentence(self) -> str:
        """Both."""
        return f"{self.reason}; {self.next_step}" if self.next_step else self.reason


@dataclass(frozen=True)
class Outcome:
    """
    What came of one place, or of one webhook of it.

    Attributes:
        source: whose.
        place: where; None: of the source as a whole.
        url: what the webhook calls.
        did: what was done, in the past tense; "" for nothing.
        hook: its number at the forge; 0 when there is none.
        delivery: number at the hub of the delivery that proves it; 0 when there is none.
        trouble: why it is not proven, or nothing was done.
        notes: what else is to be known.
    """

    source: str
    place: Place | None
    url: str
    did: str = ""
    hook: int = 0
    delivery: int = 0
    trouble: Trouble | None = None
    notes: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """What the command ends with."""
        return self.trouble.code if self.trouble else Exit.OK

    def lines(self) -> Iterator[str]:
        """For people."""
        what = f"webhook {self.hook or ''}".strip() if self.place else ""
        said = [f"{what} {self.did}".strip()] if self.did else []
        if self.delivery:
            said.append(f"proven: delivery {self.delivery} came back through the hub")
        elif self.did and self.hook and self.trouble:
            said.append("not proven")
        where = str(self.place or f"source {self.source}")
        yield f"{where}: {', '.join(said)}".removesuffix(": ")
        if self.trouble:
            yield f"  {self.trouble.reason}"
            if self.trouble.next_step:
                yield f"  next: {self.trouble.next_step}"
        for note in self.notes:
            yield f"  note: {note}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        trouble = self.trouble
        return {
            "source": self.source,
            "place": self.place.name if self.place else None,
            "organisation": bool(self.place and self.place.is_organisation),
            "url": self.url,
            "did": self.did,
            "id": self.hook or None,
            "proven": bool(self.delivery),
            "delivery": self.delivery or None,
            "reason": trouble.reason if trouble else "",
            "next": trouble.next_step if trouble else "",
            "notes": list(self.notes),
        }


def of_forge(error: ForgeError, provider: str, place: Place) -> Trouble:
    """Why the forge did not do something; with the scope that is needed, where that may be it."""
    if isinstance(error, ForgeRefused) and error.status in _NOT_ALLOWED:
        step = f"{error.next_step}; {scope_of(provider, place)}"
        return Trouble(str(error), step, Exit.FORBIDDEN)
    if isinstance(error, RateLimited):
        return Trouble(str(error), f"try again after {error.until:%H:%M:%S} UTC", Exit.UNREACHABLE)
    if isinstance(error, ForgeAway):
        step = "see that this machine reaches it, and try again"
        return Trouble(str(error), step, Exit.UNREACHABLE)
    is_configuration = isinstance(error, ForgeRefused) and not error.status
    return Trouble(str(error), error.next_step, Exit.USAGE if is_configuration else Exit.FAILED)


def of_hub(error: HttpError) -> Trouble:
    """Why the hub did not say whether a delivery came."""
    if isinstance(error, Unreachable):
        step = "see that the hub runs, or name it by --hub; then `directcd hook test`"
        return Trouble(f"the hub cannot be asked: {error}", step, Exit.UNREACHABLE)
    if isinstance(error, BadStatus) and error.status in {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
    }:
        step = "give a token that may read there: --hub-token-file; then `directcd hook test`"
        return Trouble(f"the hub does not say what came: {error}", step, Exit.FORBIDDEN)
    return Trouble(f"the hub does not say what came: {error}", "name the hub by --hub")
