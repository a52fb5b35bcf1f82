"""
Which versions of a target were offered, in which order: what rolling back follows.

    <data>/versions/<target>/history    a version a line, the one offered last at the end

Clocks jump, so the order is written down. It is like an editor's undo: who goes back to a version
forgets those offered after it, so that the next step never leads to what was left behind.
"""

from collections.abc import Sequence
from pathlib import Path

from cd4sources.disk import sync, write
from cd4sources.keeping.versions import VERSION

_NAME = "history"


def read(directory: Path) -> list[str]:
    """The versions that were offered, the last one last; empty when that is not known."""
    try:
        lines = (directory / _NAME).read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if VERSION.fullmatch(line)]


def keep(directory: Path, versions: Sequence[str]) -> None:
    """Write down for good what was offered, but for the versions that are gone."""
    there = [version for version in versions if (directory / version).is_dir()]
    if there != read(directory):
        write(directory / _NAME, "".join(f"{version}\n" for version in there))
        sync(directory / _NAME)


def offered(versions: Sequence[str], version: str) -> list[str]:
    """The order once a version is offered again, or for the first time."""
    return [one for one in versions if one != version] + [version]


def gone_back(versions: Sequence[str], version: str) -> list[str]:
    """The order once somebody went to a version by hand."""
    if version not in versions:
        return [*versions, version]
    return list(versions[: versions.index(version) + 1])


def before(versions: Sequence[str], version: str) -> list[str]:
    """What was offered before a version; all of it when that version never was."""
    return gone_back(versions, version)[:-1]
