"""
What to deliver: targets made of repositories, and how to find one by its repositories.

    TargetError
    +-- BadTarget        the configuration contradicts itself
    +-- UnknownTarget    no target is made of these repositories; names the nearest
    +-- AmbiguousTarget  several are; a ref tells them apart
"""

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from adapters.identity import repository_keys
from cd4sources.settings import RepositorySettings, TargetSettings

# What git check-ref-format forbids, and what would be more than one ref in a refspec.
# https://git-scm.com/docs/git-check-ref-format
_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
_USER_INFO = re.compile(r"://[^\s/]*@")
_CREDENTIAL_CHARACTERS = 2_000


class TargetError(Exception):
    """A target cannot be made, or not be found."""


class BadTarget(TargetError):
    """The configuration of a target contradicts itself."""


class UnknownTarget(TargetError):
    """No target is made of these repositories."""


class AmbiguousTarget(TargetError):
    """Several targets are made of these repositories."""


@dataclass(frozen=True)
class Credential:
    """What git answers when a server asks who we are; masked wherever it is printed."""

    user: str = field(repr=False)
    password: str = field(repr=False)


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
            BadTarget: The URL or the ref cannot mean a repository; says why, without the URL.
        """
        url, credential = _split(settings.url.get_secret_value())
        return cls(url, credential, full_ref(settings.ref), settings.replaces)

    @cached_property
    def keys(self) -> frozenset[str]:
        """When two repositories' keys meet, they are the same one."""
        return _keys(self.url)

    @property
    def name(self) -> str:
        """The last part of the path without `.git`: names the checkout beside the first."""
        path = re.split(r"[/:]", self.url.rstrip("/"))[-1]
        return re.sub(r"[^A-Za-z0-9._-]", "-", path.removesuffix(".git")).lstrip(".-") or "root"

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

    @classmethod
    def from_settings(cls, settings: TargetSettings) -> "Target":
        """
        Make a target of its configuration.

        Raises:
            BadTarget: A repository's URL or ref, or the build words, are malformed.
        """
        try:
            build, artifact = shlex.split(settings.build), shlex.split(settings.artifact)
            repositories = tuple(map(Repository.from_settings, settings.repositories))
        except (BadTarget, ValueError) as error:
            raise BadTarget(f"target {settings.name}: {error}") from error
        variables = [environment_name(one) for one in repositories[1:]]
        if len(set(variables)) < len(variables):
            raise BadTarget(
                f"target {settings.name}: two repositories beside the first have the same name"
            )
        output = settings.output or settings.name
        return cls(settings.name, repositories, tuple(build), tuple(artifact), output)

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


def full_ref(ref: str) -> str:
    """
    `main` becomes `refs/heads/main`; a full ref and the empty one stay.

    Raises:
        BadTarget: git would not accept it as one ref.
    """
    full = ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}"
    if _NOT_IN_A_REF.search(full):
        raise BadTarget(f"{ref!r} is not a ref; give a branch (main) or a full ref (refs/tags/v1)")
    return full


def redacted(text: str) -> str:
    """The text with the user and password of every URL masked."""
    return _USER_INFO.sub("://***@", text)


def _split(url: str) -> tuple[str, Credential | None]:
    if not url or url.startswith("-") or re.search(r"[\x00-\x20\x7f]", url):
        raise BadTarget("a repository's url is empty, starts with '-' or holds a blank; correct it")
    parts = _parts(url)
    if parts.scheme == "ssh" and parts.password:
        raise BadTarget("ssh takes no password from a url; use a key, or https")
    if parts.scheme not in {"http", "https"} or "@" not in parts.netloc:
        return url, None
    host = parts.netloc.rpartition("@")[2]
    credential = Credential(unquote(parts.username or ""), unquote(parts.password or ""))
    _check(credential)
    return parts._replace(netloc=host).geturl(), credential


def _check(credential: Credential) -> None:
    """Git reads a credential as one line; a longer one than fits the pipe would block."""
    both = credential.user + credential.password
    if not both.isprintable() or len(both) > _CREDENTIAL_CHARACTERS:
        raise BadTarget("a repository's user or password holds a line break or is too long")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a "/" in a password makes the rest of it a port
    except ValueError:
        raise BadTarget(
            "a repository's url is malformed; write '/', '@' and ':' of a password as %2F %40 %3A"
        ) from None
    return parts


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
    known = {" + ".join(r.url for r in one.repositories): one for one in targets}
    for text in difflib.get_close_matches(asked, known, n=1, cutoff=0.0):
        at = f" at {known[text].repositories[0].ref or 'HEAD'}"
        return f"no target is made of {asked}; the nearest is {known[text].name}: {text}{at}"
    return f"no target is made of {asked}; this server has none"


def environment_name(repository: Repository) -> str:
    """The variable in which a build finds a repository's checkout."""
    return "DIRECTCD_REPO_" + re.sub(r"[^A-Z0-9]", "_", repository.name.upper())
