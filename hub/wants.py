"""
Wants: which repositories, refs and files somebody wants to hear of, and whether a push is that.

Pure. A ref is a name or a pattern, in which `*` stands for anything, slashes included. A path
pattern is compared segment by segment: `*`, `?` and `[...]` stay within a segment, `**` is any
number of segments.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from adapters import repository_keys

_PATTERN = re.compile(r"[*?\[]")
_USER_INFO = re.compile(r"//[^/]*@")  # a password has no business in an explanation


@dataclass(frozen=True, slots=True)
class Want:
    """
    One repository somebody wants to hear of.

    Attributes:
        url: as the subscriber wrote it, without a password.
        keys: the repository's keys.
        ref: a full ref, a pattern, or "" for any.
        paths: path patterns of which a push must touch one; none at all: any push is wanted.
    """

    url: str
    keys: frozenset[str]
    ref: str = ""
    paths: tuple[str, ...] = ()

    def takes(self, keys: frozenset[str], ref: str, paths: frozenset[str] | None = None) -> bool:
        """
        Whether a push to `ref` of the repository with these keys is wanted.

        Args:
            keys: the repository's.
            ref: the full ref.
            paths: the files it changed; None when they are not known to be all.
        """
        same = not self.keys.isdisjoint(keys)
        return same and takes_ref(self.ref, ref) and self.takes_paths(paths)

    def takes_paths(self, paths: frozenset[str] | None) -> bool:
        """Whether a push of these files is wanted; one of unknown files always is."""
        return paths is None or not self.paths or touches(self.paths, paths)


def full_ref(ref: str) -> str:
    """
    `main` as git means it: `refs/heads/main`; `tags/v*` is `refs/tags/v*`.

    Full refs and "" (any) stay as they are.
    """
    if not ref or ref.startswith("refs/"):
        return ref
    return f"refs/{ref}" if ref.startswith("tags/") else f"refs/heads/{ref}"


@lru_cache(maxsize=4096)  # thousands of subscribers of one repository share one
def make_want(url: str, ref: str = "", paths: tuple[str, ...] = ()) -> Want:
    """
    A want from what a subscriber wrote.

    Raises:
        ValueError: the URL names no repository.
    """
    keys = repository_keys(url) or _local_key(url)
    if not keys:
        raise ValueError("the URL names no repository; write host/path, a clone URL or a file URL")
    return Want(_USER_INFO.sub("//", url), keys, full_ref(ref), tuple(map(_full_path, paths)))


def _full_path(pattern: str) -> str:
    # `/docs/` is how people write "all below docs".
    below = f"{pattern}**" if pattern.endswith("/") else pattern
    return below.removeprefix("/")


def _local_key(url: str) -> frozenset[str]:
    # A repository on the subscriber's own disk has no name a forge would know it by. It may be
    # subscribed to (nothing will match) so that one list of targets works with and without a forge.
    path = url.removeprefix("file://")
    return frozenset({f"file:{path}"}) if path.startswith("/") else frozenset()


def takes_ref(wanted: str, ref: str) -> bool:
    """Whether a ref is the wanted one, or matches its pattern; "" wants any."""
    if not wanted or wanted == ref:
        return True
    return is_pattern(wanted) and fnmatchcase(ref, wanted)


@lru_cache(maxsize=1024)
def is_pattern(wanted: str) -> bool:
    """Whether a wanted ref may mean several: git allows none of these signs in a ref."""
    return _PATTERN.search(wanted) is not None


@lru_cache(maxsize=1024)  # thousands of subscribers of one repository ask the same of one push
def touches(patterns: tuple[str, ...], paths: frozenset[str]) -> bool:
    """Whether any of the files is one of those that the patterns mean."""
    split = [pattern.split("/") for pattern in patterns]
    return any(_matches(parts, path.split("/")) for path in paths for parts in split)


def _matches(pattern: list[str], path: list[str]) -> bool:
    # Every place in the path that the pattern so far may have come to: no backtracking.
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(path) and fnmatchcase(path[at], part)}
        if not reached:
            return False
    return len(path) in reached
