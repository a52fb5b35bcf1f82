"""
What to deliver: targets made of repositories, and how to find one by its repositories.

    TargetError
    +-- BadTarget        the configuration contradicts itself
    +-- UnknownTarget    no target is made of these repositories; names the nearest
    +-- AmbiguousTarget  several are; a ref tells them apart
"""

import os
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import unquote

from adapters.identity import repository_keys
from cd4sources.redacting import redacted
from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.sources.addresses import (
    BadTarget,
    TargetError,
    full_ref,
    parse_address,
    without_secret,
)
from cd4sources.sources.credentials import Credential

_MOST_SHOWN = 300  # characters of what was asked for

__all__ = [
    "AmbiguousTarget",
    "BadTarget",
    "Repository",
    "Target",
    "TargetError",
    "UnknownTarget",
    "find",
    "variables_of",
]


class UnknownTarget(TargetError):
    """No target is made of these repositories."""


class AmbiguousTarget(TargetError):
    """Several targets are made of these repositories."""


@dataclass(frozen=True)
class Repository:
    """One source repository; `url` holds no credential, `ref` is full or empty (remote's HEAD)."""

    url: str
    credential: Credential | None = None
    ref: str = ""
    replaces: str = ""

    @classmethod
    def from_settings(cls, settings: RepositorySettings) -> "Repository":
        """
        Split the credential from the URL and complete the ref.

        Raises:
            BadTarget: URL, ref or credential cannot mean a repository; says why, without the URL.
        """
        address = parse_address(settings.url.get_secret_value())
        credential = Credential.of(address, settings)
        replaces = without_secret(settings.replaces)
        return cls(address.url, credential, full_ref(settings.ref), replaces)

    @cached_property
    def keys(self) -> frozenset[str]:
        """When two repositories' keys meet, they are the same one."""
        return _keys(self.url)

    @property
    def name(self) -> str:
        """The last part of the path without `.git`: names the checkout beside the first."""
        return _last_part(self.url)

    def is_named(self, asked: str) -> bool:
        """Tell whether `R2`, or `R2=R3` (R3 replacing R2, or R2 replacing R3), means this one."""
        if self.keys & _keys(asked):
            return True
        one, _, other = asked.partition("=")
        return self._replacement(one, other) or self._replacement(other, one)

    def _replacement(self, ours: str, theirs: str) -> bool:
        return bool(self.keys & _keys(ours) and _keys(self.replaces) & _keys(theirs))


@dataclass(frozen=True)
class Target:
    """A deliverable: the first repository is built, the others stand beside it."""

    name: str
    repositories: tuple[Repository, ...]
    build: tuple[str, ...] = ("build",)
    artifact: tuple[str, ...] = ("artifact",)
    output: str = ""
    in_place: bool = False

    @classmethod
    def from_settings(cls, settings: TargetSettings) -> "Target":
        """
        Make a target of its configuration.

        Raises:
            BadTarget: A repository's URL or ref, or the build words, are malformed; or two
                checkouts beside the first cannot be told apart.
        """
        try:
            build, artifact = shlex.split(settings.build), shlex.split(settings.artifact)
            repositories = tuple(map(Repository.from_settings, settings.repositories))
        except (BadTarget, ValueError) as error:
            raise BadTarget(f"target {settings.name}: {error}") from error
        if lost := _without_variable(repositories[1:]):
            raise BadTarget(
                f"target {settings.name}: {lost[0].url} cannot be told apart from another "
                "repository beside the first; name each once, at one ref"
            )
        output = settings.output or settings.name
        words = tuple(build), tuple(artifact)
        return cls(settings.name, repositories, *words, output, settings.in_place)

    @property
    def script_words(self) -> str:
        """What build.sh is called with, if it is not what it is always called with."""
        words = {"build": self.build, "artifact": self.artifact}
        return ", ".join(
            f"{name} = {shlex.join(one)!r}" for name, one in words.items() if one != (name,)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each repository: its name, or its URL where two have the same name."""
        names = [one.name for one in self.repositories]
        return tuple(
            one.url if names.count(one.name) > 1 else one.name for one in self.repositories
        )

    def is_made_of(self, asked: Sequence[str]) -> bool:
        """Tell whether these are all its repositories, in any order and spelling."""
        left = list(self.repositories)
        for text in asked:
            found = next((one for one in left if one.is_named(text)), None)
            if found is None:
                return False
            left.remove(found)
        return not left


def find(targets: Sequence[Target], repos: Sequence[str], *, ref: str = "") -> Target:
    """
    The target made of these repositories.

    Args:
        targets: All there are.
        repos: URLs in any spelling and order; `R2=R3` names a replacement.
        ref: Branch or full ref of the first repository; empty: any.

    Raises:
        UnknownTarget: None is; the message names the nearest.
        AmbiguousTarget: Several are; the message says how to tell them apart.
    """
    found = [one for one in targets if one.is_made_of(repos) and _has_ref(one, ref)]
    if not found:
        raise UnknownTarget(_nearest(targets, repos, ref))
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise AmbiguousTarget(f"targets {names} are all made of these; name the ref as well")
    return found[0]


@lru_cache(maxsize=1024)  # thousands of clients name the same few, and each of all targets asks
def _keys(url: str) -> frozenset[str]:
    """Identity of a URL; of a local path, its normalised form."""
    if not url:
        return frozenset()
    if url.startswith(("/", "./", "../", "file://")):
        path = unquote(url.removeprefix("file://")) if url.startswith("file:") else url
        return frozenset({f"file:{os.path.abspath(path)}"})  # noqa: PTH100 -- symbolic links stay
    return repository_keys(url)


def _has_ref(target: Target, ref: str) -> bool:
    return not ref or target.repositories[0].ref == full_ref(ref)


def _nearest(targets: Sequence[Target], repos: Sequence[str], ref: str) -> str:
    asked = " + ".join(map(redacted, repos)) + (f" at {ref}" if ref else "")
    asked = asked if len(asked) <= _MOST_SHOWN else f"{asked[:_MOST_SHOWN]}…"
    if not targets:
        return f"no target is made of {asked}; this server has none"
    wanted = _trigrams(asked)
    near = max(targets, key=lambda one: _likeness(wanted, _trigrams(_described(one))))
    return f"no target is made of {asked}; the nearest is {near.name}: {_described(near)}"


def _described(target: Target) -> str:
    urls = " + ".join(one.url for one in target.repositories)
    return f"{urls} at {target.repositories[0].ref or 'HEAD'}"


def _trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def _likeness(one: set[str], other: set[str]) -> float:
    """From 0 to 1; strangers ask for it, so that it may not take difflib's quadratic time."""
    return 2 * len(one & other) / (len(one) + len(other) or 1)


def variables_of(repositories: Sequence[Repository]) -> dict[str, Repository]:
    """
    The variables in which a build finds checkouts.

    By the name of each, and by that of what it replaces, unless another one has it.
    """
    replacing = [one for one in repositories if one.replaces]
    replaced = _told_apart([one.replaces for one in replacing])
    return {
        **{name: replacing[number] for name, number in replaced.items()},
        **{name: repositories[number] for name, number in _own_variables(repositories).items()},
    }


def _without_variable(repositories: Sequence[Repository]) -> list[Repository]:
    """Those that no variable tells apart from the others, or which are another one once more."""
    named = set(_own_variables(repositories).values())
    return [
        one
        for number, one in enumerate(repositories)
        if number not in named or any(one.keys & other.keys for other in repositories[:number])
    ]


def _own_variables(repositories: Sequence[Repository]) -> dict[str, int]:
    return _told_apart([one.url for one in repositories])


def _told_apart(addresses: Sequence[str]) -> dict[str, int]:
    """
    Variables' names, each with its address's number, whatever the order of the addresses.

    The name is the last part of the path. Those that share it take in the parts before it, and
    the host at the end, until nobody else could have the name; the same address has none.
    """
    names = [_variables(one) for one in addresses]
    shortest = Counter(one[0] for one in names)
    alone = {one[0]: number for number, one in enumerate(names) if shortest[one[0]] == 1}
    taken = Counter(name for one in names if one[0] not in alone for name in dict.fromkeys(one))
    for number, own in enumerate(names):
        if own[0] not in alone:
            free = (one for one in own if taken[one] == 1 and one not in alone)
            alone |= {one: number for one in [next(free, "")] if one}
    return alone


def _variables(address: str) -> list[str]:
    """What a checkout may be called, the shortest name first."""
    parts = [part for part in re.split(r"[/:@]+", address.partition("://")[2] or address) if part]
    parts = [*parts[:-1], _last_part(address)]
    return [_variable("_".join(parts[-number:])) for number in range(1, len(parts) + 1)]


def _variable(name: str) -> str:
    return "DIRECTCD_REPO_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def _last_part(address: str) -> str:
    path = re.split(r"[/:]", address.rstrip("/"))[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "-", path.removesuffix(".git")).lstrip(".-") or "root"
