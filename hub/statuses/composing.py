"""What is to be sent of a target's claims: to which forge, in which words, and how."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from urllib.parse import quote

from hub.forges.values import CommitStatus
from hub.statuses.claims import Claim, strongest
from hub.statuses.jobs import Job, Kind
from hub.statuses.places import Names, Places, Spot
from hub.statuses.wording import Word, cut
from hub.subscriptions import Registry

DESCRIPTION_CHARACTERS = 140  # what the most terse of forges takes, GitHub


class Composer:
    """Makes jobs of claims."""

    def __init__(
        self,
        registry: Registry,
        places: Places,
        kinds: Mapping[str, Collection[Kind]],
        public_url: str,
        redact: Callable[[str], str],
    ) -> None:
        """
        Args:
            registry: who wants what.
            places: finds forges.
            kinds: what each source may write.
            public_url: how people reach this hub, "" when nobody has said.
            redact: takes secrets out of a text.
        """
        self._registry = registry
        self._places = places
        self._kinds = kinds
        self._public_url = public_url
        self._redact = redact
        self._names: Names | None = None
        registry.on_change(self._forget_names)

    def jobs(self, target: str, claims: Sequence[Claim], origins: Collection[str]) -> Iterator[Job]:
        """
        What is to be sent.

        Args:
            target: whose claims these are.
            claims: oldest first.
            origins: keys of repositories that its pushes came from.
        """
        found: defaultdict[Spot, list[Claim]] = defaultdict(list)
        for claim in claims:
            keys = self._known().keys(claim, origins)
            if spot := self._places.spot(keys, claim.commit):
                found[spot].append(claim)
        for spot, rivals in found.items():
            claim = strongest(rivals)
            status = self._status(target, claim)
            for kind in self._kinds[spot.source]:
                if kind == "status" or _is_deployed(claim.word):
                    yield Job(kind, target, spot, status, claim.word.when)

    def _status(self, target: str, claim: Claim) -> CommitStatus:
        text = claim.word.text
        if claim.word.state == "failure":
            text = self._redact(text)
        url = f"{self._public_url}/targets/{quote(target, safe='')}#trace-{claim.trace_id}"
        return CommitStatus(
            "directcd/" + "".join(filter(str.isprintable, target)),
            claim.word.state,
            cut(text, DESCRIPTION_CHARACTERS),
            url if self._public_url else "",
        )

    def _known(self) -> Names:
        if self._names is None:
            self._names = Names(self._registry.all())
        return self._names

    def _forget_names(self) -> None:
        self._names = None


def _is_deployed(word: Word) -> bool:
    return word.is_built or word.when == "to end"
