"""
Bearer tokens: who may do what, with which repositories. Pure.

A token is `dcd_` and 256 random bits. The configuration holds its SHA-256, from which nobody gets
it back: a fast digest is enough for what cannot be guessed.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

PREFIX = "dcd_"
_BYTES = 32

Scope = Literal["read", "admin"]
"""`read`: watch, download, look. `admin`: that, and whatever changes something."""


@dataclass(frozen=True)
class Access:
    """What the holder of a token, or everybody, may do. No `repositories`: with all of them."""

    name: str
    scopes: frozenset[Scope]
    repositories: tuple[str, ...] = ()

    def may(self, scope: Scope) -> bool:
        """Tell whether this covers a scope; `admin` covers all."""
        return scope in self.scopes or "admin" in self.scopes

    def covers(self, repositories: Iterable[frozenset[str]]) -> bool:
        """Tell whether every one of these repositories, given by its keys, is allowed."""
        return not self.repositories or all(map(self._covers, repositories))

    def _covers(self, keys: frozenset[str]) -> bool:
        return any(fnmatchcase(key, glob) for key in keys for glob in self.repositories)


EVERYTHING = Access("", frozenset({"admin"}))


def new_token() -> str:
    """A token that nobody has yet."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(token: str) -> str:
    """What is kept of a token: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(known: Sequence[tuple[str, Access]], token: str) -> Access | None:
    """
    What a token gives; None when it is not known.

    All are compared, each in constant time.

    Args:
        known: Digests, and what each gives.
        token: As it was sent.
    """
    asked = digest(token)
    found = [access for kept, access in known if hmac.compare_digest(kept, asked)]
    return found[0] if found else None
