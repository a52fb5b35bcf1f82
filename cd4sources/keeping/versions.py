"""
Version ids, and what is known of a version.

Two servers give the same id for the same inputs, so that a client may take any of them.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict

VERSION = re.compile(r"v-[0-9a-f]{12}")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class LockedRepository(_Value):
    """A repository of a lockset: which commit its ref named."""

    url: str
    ref: str
    commit: str


class Artifact(_Value):
    """The file that a client downloads."""

    name: str
    size: int
    sha256: str
    url: str


class Record(_Value):
    """What is known of a published version; as JSON, the answer of /watch."""

    version: str
    target: str
    repositories: tuple[LockedRepository, ...]
    artifact: Artifact
    built_at: AwareDatetime
    traceparent: str | None
    published_at: AwareDatetime | None = None
    """When it became the current version; None for one that is not current."""

    @property
    def lockset(self) -> tuple[str, ...]:
        """The commits it was made of."""
        return tuple(one.commit for one in self.repositories)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A version that was built and is to be published."""

    version: str
    target: str
    repositories: tuple[LockedRepository, ...]
    name: str
    path: Path
    url: str
    log: Path
    traceparent: str | None


def version_id(lockset: Sequence[Sequence[str]], recipe_fingerprint: str, toolchain: str) -> str:
    """
    The id of what these inputs give; on every server the same.

    Args:
        lockset: Of each repository its identity, ref, commit and what it replaces.
        recipe_fingerprint: How it is built.
        toolchain: With which tools.
    """
    inputs = [[list(one) for one in lockset], recipe_fingerprint, toolchain]
    return "v-" + hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]
