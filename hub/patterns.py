"""
Patterns for refs and for files, compared without ever taking long.

Pure. In a ref `*` stands for anything, slashes included. A path pattern is compared segment by
segment: `*`, `?` and `[...]` stay within a segment, `**` is any number of segments.
"""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

REMEMBERED = 8192  # compiled patterns: those of several of the largest subscriptions
WILDCARDS_MOST = 20  # in one ref pattern; each costs time when it is compiled

WORK = 40_000  # of about 0.5 microseconds each: what comparing one push may cost a subscription
_PATTERN_WORK = 20  # to look at a pattern whose fixed parts all occur
_PATH_WORK = 10  # to compare one path with it
_COMPILE_WORK = 10  # for each of its characters
_STEPS = 100  # comparisons of single characters that are one unit of work

_WILDCARD = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:\\]|\.\.|//|@\{|/\.|\.lock(/|$)|[/.]$")


def check_ref(ref: str) -> None:
    """
    Refuse a full ref, or a pattern of one, that no ref of git can be or match.

    The rules: https://git-scm.com/docs/git-check-ref-format

    Raises:
        ValueError: it is none; the message says why.
    """
    wildcards = _WILDCARD.findall(ref)
    if len(wildcards) > WILDCARDS_MOST:
        raise ValueError(f"a ref pattern has at most {WILDCARDS_MOST} of * ? [...]")
    if "[" in _WILDCARD.sub("", ref):
        raise ValueError("the ref has a [ that no ] closes")
    forbidden = _FORBIDDEN.search(ref)
    if forbidden is not None:
        raise ValueError(f"git allows no ref with {forbidden[0]!r} there")


@lru_cache(maxsize=REMEMBERED)
def is_pattern(wanted: str) -> bool:
    """Whether a wanted ref may mean several: git allows none of these signs in a ref."""
    return any(sign in wanted for sign in "*?[")


def takes_ref(wanted: str, ref: str) -> bool:
    """Whether a ref is the wanted one, or matches its pattern; "" wants any."""
    if not wanted or wanted == ref:
        return True
    return is_pattern(wanted) and _has_all(ref, wanted) and _is_match(wanted, ref)


@lru_cache(maxsize=256)  # thousands of subscribers of one repository ask the same of one push
def touches(patterns: tuple[tuple[str, ...], ...], paths: frozenset[str]) -> bool:
    """
    Whether any of the files is one of those that the patterns mean.

    The answer is also yes when it would take too much work to say no: rather one push too many is
    told than the hub held up, or one too few told.
    """
    slashed = [f"/{path}/" for path in paths]
    everything = "\n".join(slashed)
    work = 0
    for pattern in dict.fromkeys(one for some in patterns for one in some):
        whole = f"/{pattern}/"
        if not _has_all(everything, whole):
            continue
        near = _near(whole, slashed)
        work += _work(pattern, near)
        if work > WORK or _touches_one(pattern.split("/"), near):
            return True
    return False


def _near(whole: str, slashed: list[str]) -> list[str]:
    longest = _fixed(whole)[0]
    return [path for path in slashed if longest in path]


def _work(pattern: str, paths: list[str]) -> int:
    if not paths:
        return _PATTERN_WORK
    # The same for a pattern that is compiled already: every hub must come to the same answer.
    steps = len(pattern) * sum(map(len, paths)) // _STEPS
    return _PATTERN_WORK + _COMPILE_WORK * len(pattern) + _PATH_WORK * len(paths) + steps


def _touches_one(parts: list[str], slashed: Iterable[str]) -> bool:
    return any(_matches(parts, path[1:-1].split("/")) for path in slashed)


def _matches(pattern: list[str], path: list[str]) -> bool:
    # Every place in the path that the pattern so far may have come to: no backtracking.
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(path) and _is_match(part, path[at])}
        if not reached:
            return False
    return len(path) in reached


def _has_all(text: str, pattern: str) -> bool:
    # What is fixed in a pattern is found, or not, a hundred times faster than the pattern.
    for fixed in _fixed(pattern):  # noqa: SIM110 - all() costs as much as all the rest
        if fixed not in text:
            return False
    return True


@lru_cache(maxsize=REMEMBERED)
def _fixed(pattern: str) -> tuple[str, ...]:
    """The longest parts of a pattern without wildcards, the longest one first."""
    return tuple(sorted(set(_WILDCARD.split(pattern)), key=len, reverse=True)[:3])


def _is_match(pattern: str, text: str) -> bool:
    return _compiled(pattern).match(text) is not None


@lru_cache(maxsize=REMEMBERED)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
