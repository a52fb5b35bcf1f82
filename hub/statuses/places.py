"""At which forge, under which path and with which source's token a repository is spoken of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from adapters import repository_keys
from hub.forges.addresses import addresses_of
from hub.settings import SourceSettings
from hub.sources import Source
from hub.statuses.claims import Claim
from hub.subscriptions import Subscription

Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class Spot:
    """
    A commit at a forge.

    Attributes:
        source: whose token is used.
        path: of the repository at the forge, such as `acme/shop`; forges take it in any case.
        commit: full hash.
    """

    source: str
    path: str
    commit: str

    def __str__(self) -> str:
        """As it is noted."""
        return f"{self.source} {self.path}@{self.commit}"


class Places:
    """Finds the forge of a repository among the sources that have a token."""

    def __init__(self, sources: Sequence[Source], settings: Mapping[str, SourceSettings]) -> None:
        """
        Args:
            sources: those that may write, in the order in which they are asked.
            settings: theirs, by name.
        """
        addresses = addresses_of(settings)
        self._sources = [(source, addresses[source.name]) for source in sources]

    def spot(self, keys: Keys, commit: str) -> Spot | None:
        """Where a commit of the repository with these keys is; None when no source may say."""
        for source, address in self._sources:
            path = address.path_of(keys)
            if path and source.spoken_for(keys | address.keys_of(path)):
                return Spot(source.name, path, commit)
        return None


class Names:
    """Which repositories servers mean by the names that they have for them."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        """
        Args:
            subscriptions: what is wanted.
        """
        self._known: defaultdict[str, set[Keys]] = defaultdict(set)
        for keys in {want.keys for one in subscriptions for want in one.wants}:
            for key in keys:
                self._known[_name(key)].add(keys)

    def keys(self, claim: Claim, origins: Iterable[str]) -> Keys:
        """
        The keys of the repository that a claim is about.

        None when nobody knows it, its name may be that of several, or its sender may not speak of
        it.

        Args:
            claim: what a server has said.
            origins: keys of repositories that pushes came from.
        """
        if claim.is_key:
            return frozenset({claim.repository})
        urls = repository_keys(claim.repository)
        names = {_name(key) for key in urls} or {claim.repository.lower()}
        known = [keys for name in names for keys in self._known.get(name, ())]
        known += [frozenset({key}) for key in origins if _name(key) in names]
        found = _joined(keys for keys in known if not urls or keys & urls)
        keys = found[0] if len(found) == 1 else frozenset()
        return frozenset(key for key in keys if _is_within(key, claim.bounds))


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _joined(every: Iterable[Keys]) -> list[Keys]:
    """The keys of each repository, where those that share one are the same."""
    groups: list[Keys] = []
    for keys in every:
        same = [group for group in groups if group & keys]
        groups = [group for group in groups if not group & keys]
        groups.append(keys.union(*same))
    return groups


def _is_within(key: str, bounds: Sequence[str]) -> bool:
    return not bounds or any(fnmatchcase(key, glob) for glob in bounds)
