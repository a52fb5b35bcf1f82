"""The names that a repository had, the newest first: what a new one, or another's, does to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from adapters import Repository, repository_keys

MOST_NAMES = 8  # of one repository; nobody renames one so often, and each costs every push a little
MOST_KEYS = 32  # of one name: of three URLs, each with and without its port, and of aliases


@dataclass(frozen=True, slots=True)
class Name:
    """
    One name of a repository.

    Attributes:
        full_name: as the provider writes it; "" when it does not say.
        keys: the repository keys of all its URLs.
    """

    full_name: str
    keys: frozenset[str]


Names = tuple[Name, ...]


def called(names: Names, name: Name) -> Names:
    """A repository's names when it is called so now; what shares a key is the same name."""
    same = [one for one in names if not one.keys.isdisjoint(name.keys)]
    keys = keys_of([name, *same])
    now = name if len(keys) > MOST_KEYS else Name(name.full_name, keys)
    return (now, *[one for one in names if one not in same])[:MOST_NAMES]


def without(names: Names, keys: frozenset[str]) -> Names:
    """A repository's names when these keys are another's now."""
    return tuple(name for name in names if name.keys.isdisjoint(keys))


def keys_of(names: Iterable[Name]) -> frozenset[str]:
    """Every key of some names."""
    return frozenset[str]().union(*(name.keys for name in names))


def former(repository: Repository, full_name: str) -> Name:
    """The name a repository had when its path was another one, at the same hosts."""
    tail = f"/{repository.full_name.lower()}"
    places = [key.removesuffix(tail) for key in repository.keys if key.endswith(tail)]
    path = quote(full_name)
    return Name(full_name, keys_of_urls(f"https://{place}/{path}" for place in places))


def keys_of_urls(urls: Iterable[str]) -> frozenset[str]:
    """Every key of some URLs."""
    return frozenset[str]().union(*map(repository_keys, urls))
