"""Which refs of which repositories at a forge are followed. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hub.forges.addresses import ForgeAddress
from hub.patterns import is_pattern, takes_ref
from hub.renaming import Renames
from hub.sources import Source
from hub.wants import Want

BRANCHES, TAGS = "refs/heads/", "refs/tags/"


@dataclass(frozen=True, slots=True)
class Followed:
    """
    A repository that somebody follows.

    Attributes:
        path: at its forge, such as `acme/shop`.
        keys: all keys that it goes by.
        refs: full refs, patterns, or "" for any; sorted.
    """

    path: str
    keys: frozenset[str]
    refs: tuple[str, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How the names of the refs begin that may be meant."""
        if not all(self.refs) or any(map(is_pattern, self.refs)):
            return BRANCHES, TAGS
        return self.refs

    def takes(self, ref: str) -> bool:
        """Whether somebody follows this ref."""
        return any(takes_ref(one, ref) for one in self.refs)


def followed(
    source: Source, address: ForgeAddress, renames: Renames, wants: Iterable[Want]
) -> list[Followed]:
    """What is followed at the forge of a source, and what the source may speak for; by path."""
    refs: defaultdict[str, set[str]] = defaultdict(set)
    keys: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for want in wants:
        path = address.path_of(want.keys)
        own = want.keys | address.keys_of(path) if path else frozenset()
        if source.spoken_for(own):
            refs[path].add(want.ref)
            keys[path] |= renames.all_keys(source.name, own)
    return [Followed(path, keys[path], tuple(sorted(refs[path]))) for path in sorted(refs)]


def newly_followed(now: Sequence[Followed], before: Sequence[Followed]) -> list[Followed]:
    """Those of which nobody followed as much before."""
    known = {one.path: set(one.refs) for one in before}
    return [one for one in now if not set(one.refs) <= known.get(one.path, set())]
