"""
Wants: which repositories, refs and files somebody wants to hear of, and whether a push is that.

Pure; what patterns mean is said in `hub.patterns`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from adapters import repository_keys
from hub.patterns import check_ref, is_pattern, takes_ref, touches

PATTERNS_MOST = 1_000  # of paths, and of refs, in one subscription
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

    def takes(self, keys: frozenset[str], ref: str) -> bool:
        """Whether a push to `ref` of the repository with these keys is wanted, files aside."""
        return not self.keys.isdisjoint(keys) and takes_ref(self.ref, ref)


def any_takes(
    wants: Iterable[Want], keys: frozenset[str], ref: str, paths: frozenset[str] | None = None
) -> bool:
    """
    Whether a push to `ref` of the repository with these keys is wanted.

    Args:
        wants: those of one subscriber.
        keys: the repository's.
        ref: the full ref.
        paths: the files it changed; None when they are not known to be all.
    """
    here = [want for want in wants if want.takes(keys, ref)]
    return bool(here) and any_touched(here, paths)


def any_touched(wants: Iterable[Want], paths: frozenset[str] | None) -> bool:
    """Whether a push of these files is wanted; one of unknown files always is."""
    patterns = tuple(dict.fromkeys(want.paths for want in wants))
    return paths is None or () in patterns or touches(patterns, paths)


def check_number(wants: Iterable[Want]) -> None:
    """
    Refuse more patterns than can be compared with every push.

    Raises:
        ValueError: there are too many; the message says of what.
    """
    paths = refs = 0
    for want in wants:
        paths += len(want.paths)
        refs += is_pattern(want.ref)
    for number, kind in ((paths, "path"), (refs, "ref")):
        if number > PATTERNS_MOST:
            raise ValueError(
                f"{number} {kind} patterns; a subscription has {PATTERNS_MOST} at most"
            )


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
        ValueError: the URL names no repository, or git allows no such ref.
    """
    keys = repository_keys(url) or _local_key(url)
    if not keys:
        raise ValueError("the URL names no repository; write host/path, a clone URL or a file URL")
    full = full_ref(ref)
    check_ref(full)
    return Want(_USER_INFO.sub("//", url), keys, full, tuple(map(_full_path, paths)))


def _full_path(pattern: str) -> str:
    # `/docs/` is how people write "all below docs".
    below = f"{pattern}**" if pattern.endswith("/") else pattern
    return below.removeprefix("/")


def _local_key(url: str) -> frozenset[str]:
    # A repository on the subscriber's own disk has no name a forge would know it by. It may be
    # subscribed to (nothing will match) so that one list of targets works with and without a forge.
    path = url.removeprefix("file://")
    return frozenset({f"file:{path}"}) if path.startswith("/") else frozenset()
