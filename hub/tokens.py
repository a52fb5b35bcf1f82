"""
Bearer tokens: what their holders may ask of the hub, and about which repositories. Pure.

A token is `dcd_` and 256 random bits, so that its SHA-256, which is all the configuration holds,
gives nobody the token back.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Scope = Literal["read", "subscribe", "report", "admin"]
"""
`read`: look at everything. `subscribe`: follow pushes. `report`: tell how far a push has come.
`admin`: all of that, and whatever changes something.
"""


@dataclass(frozen=True, slots=True)
class Access:
    """
    What somebody may do.

    Attributes:
        name: of the token; "" without one.
        scopes: what it is good for.
        repositories: globs over repository keys, in lower case; none: all of them.
    """

    name: str
    scopes: frozenset[Scope]
    repositories: tuple[str, ...] = ()

    def may(self, *scopes: Scope) -> bool:
        """Tell whether one of these scopes is covered; `admin` covers all."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def covers(self, repositories: Iterable[frozenset[str]]) -> bool:
        """Tell whether it is good for every one of these repositories, given by their keys."""
        return not self.repositories or all(map(self._covers_one, repositories))

    def _covers_one(self, keys: frozenset[str]) -> bool:
        return any(fnmatchcase(key, glob) for glob in self.repositories for key in keys)


EVERYTHING = Access("", frozenset({"admin"}))
NOTHING = Access("", frozenset())


@dataclass(frozen=True, slots=True)
class Token:
    """A token the hub knows: the SHA-256 of it, in hex, and what its holder may do."""

    sha256: str
    access: Access


def holder(known: Iterable[Token], token: str) -> Access | None:
    """What the sender of a token may do; None when it is not known. All take the same time."""
    sent = hashlib.sha256(token.encode()).hexdigest()
    matching = [one.access for one in known if hmac.compare_digest(one.sha256, sent)]
    return matching[0] if matching else None
