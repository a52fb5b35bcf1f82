"""Refs and hashes of payloads, checked, as changes."""

import re
from functools import lru_cache

from adapters.delivery import RefChange, RefType
from adapters.errors import MalformedDelivery

MAX_REF_CHARACTERS = 1024

_PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/"}
_is_hash = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?").fullmatch
# What git refuses in a ref: https://git-scm.com/docs/git-check-ref-format
_FORBIDDEN_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")


def moved(
    ref: str,
    before: str,
    after: str,
    *,
    forced: bool | None = None,
    head: str | None = None,
) -> RefChange:
    """
    Return the change that a push reports.

    Args:
        ref: full; a short one (Gitea's test calls copy what they are given) means a branch.
        before: hash, all zeros for a ref that did not exist.
        after: hash, all zeros for a ref that is gone.
        forced: was history rewritten? None when the provider does not say.
        head: the newest commit; worth keeping where `after` is the object of an annotated tag.

    Raises:
        MalformedDelivery: a ref or hash that git does not know.
    """
    ref, ref_type, name = _split(ref)
    old, new = _hash(before), _hash(after)
    commit = head if ref_type == "tag" and head and head != new else None
    created, deleted = old is None and new is not None, old is not None and new is None
    commit = _hash(commit) if commit else None
    return RefChange(ref, ref_type, name, old, new, created, deleted, forced, commit)


def named(ref_type: str, name: str, *, after: str | None, deleted: bool) -> RefChange:
    """
    Return the change that an event about a branch or tag reports, by its short name.

    Args:
        ref_type: `branch` or `tag`.
        name: short; a branch may really be called `refs/heads/main`.
        after: hash, None when the event does not say.
        deleted: is the ref gone? Otherwise it is new.

    Raises:
        MalformedDelivery: another type, or a ref or hash that git does not know.
    """
    ref, kind, short_name = _split(full(ref_type, name))
    new = _hash(after) if after else None
    return RefChange(ref, kind, short_name, None, new, created=not deleted, deleted=deleted)


def full(ref_type: str, name: str) -> str:
    """
    Return the full ref of a branch or tag.

    Raises:
        MalformedDelivery: it is neither.
    """
    return _prefix(ref_type) + name


def short(ref_type: str, name: str) -> str:
    """
    Return the short name of a branch or tag that may have been written in full.

    Raises:
        MalformedDelivery: it is neither.
    """
    return name.removeprefix(_prefix(ref_type))


def _prefix(ref_type: str) -> str:
    if ref_type not in _PREFIXES:
        raise MalformedDelivery("The payload's ref_type is neither branch nor tag.")
    return _PREFIXES[ref_type]


def hinted(ref: str, before: str | None, after: str | None) -> RefChange:
    """
    Return the change of a ref whose hashes need not be said.

    Args:
        ref: full, or short for a branch.
        before: hash, all zeros for a ref that did not exist; None when unsaid.
        after: hash, all zeros for a ref that is gone; None when unsaid.

    Raises:
        MalformedDelivery: a ref or hash that git does not know.
    """
    ref, ref_type, name = _split(ref)
    old = None if before is None else _hash(before)
    new = None if after is None else _hash(after)
    absent, gone = before is not None and old is None, after is not None and new is None
    return RefChange(
        ref=ref,
        ref_type=ref_type,
        name=name,
        before=old,
        after=new,
        created=absent and not gone,
        deleted=gone and not absent,
    )


# The same few refs come again and again, and the pattern is a third of a payload's own cost.
@lru_cache(maxsize=512)
def _split(ref: str) -> tuple[str, RefType, str]:
    if not ref.startswith("refs/"):
        ref = f"refs/heads/{ref}"
    if len(ref) > MAX_REF_CHARACTERS or _FORBIDDEN_IN_REF.search(ref):
        raise MalformedDelivery("The payload's field ref is not the name of a git ref.")
    space, _, name = ref.removeprefix("refs/").partition("/")
    if space == "heads" and name:
        return ref, "branch", name
    if space == "tags" and name:
        return ref, "tag", name
    return ref, "other", ref.removeprefix("refs/")


def _hash(value: str) -> str | None:
    if not _is_hash(value):
        raise MalformedDelivery("A hash in the payload is not 40 or 64 lower-case hex digits.")
    return value if value.strip("0") else None
