"""Which versions stay: the newest by count and bytes, and whatever somebody still needs."""

import time
from collections.abc import Collection, Iterable, Sequence

from cd4sources.keeping.versions import Record

RUNNING_SECONDS = 120.0
"""A client says with every /watch what it runs, and our client asks at least once a minute."""

NEEDED_SECONDS = 15 * 60.0
"""What ran lately is kept for so long: its client may only be out of reach."""

_NEVER = float("-inf")


def kept(
    newest_first: Sequence[Record],
    needed: Collection[str],
    *,
    keep_versions: int,
    keep_bytes: int = 0,
) -> frozenset[str]:
    """
    The versions that are not to be removed.

    Args:
        newest_first: All versions that are whole.
        needed: Those that stay in any case; they count, too.
        keep_versions: How many there may be.
        keep_bytes: How many bytes they may have; 0: any number.
    """
    found = [one for one in newest_first if one.version in needed]
    size = sum(one.artifact.size for one in found)
    for one in (one for one in newest_first if one.version not in needed):
        size += one.artifact.size
        if len(found) >= keep_versions or (keep_bytes and size > keep_bytes):
            break
        found.append(one)
    return frozenset(one.version for one in found)


class Seen:
    """Which versions of a target some client runs, as far as they have said lately."""

    def __init__(self, versions: Iterable[str]) -> None:
        """Begin with the versions there are: what a stranger names besides is not remembered."""
        self._at = dict.fromkeys(versions, _NEVER)

    def add(self, version: str) -> None:
        """Take a new version in."""
        self._at.setdefault(version, _NEVER)

    def noted(self, version: str) -> None:
        """Remember that a client named a version now."""
        if version in self._at:
            self._at[version] = time.monotonic()

    def forget(self, version: str) -> None:
        """Leave a removed version out."""
        self._at.pop(version, None)

    def lately(self, seconds: float) -> frozenset[str]:
        """The versions that were named within the last seconds."""
        oldest = time.monotonic() - seconds
        return frozenset(version for version, at in list(self._at.items()) if at >= oldest)
