"""Which versions stay."""

from datetime import UTC, datetime

import pytest

from cd4sources.keeping.retention import Seen, kept
from cd4sources.keeping.versions import Artifact, Record


def records(*sizes: int) -> list[Record]:
    """Versions `v-0…1`, `v-0…2`, … of these sizes, newest first."""
    return [
        Record(
            version=f"v-{number:012x}",
            target="app",
            repositories=(),
            artifact=Artifact(name="app", size=size, sha256="", url=""),
            built_at=datetime.now(UTC),
            traceparent=None,
        )
        for number, size in enumerate(sizes, start=1)
    ]


def numbers(versions: frozenset[str]) -> list[int]:
    return sorted(int(version.removeprefix("v-"), 16) for version in versions)


@pytest.mark.parametrize(
    ("needed", "keep_versions", "keep_bytes", "staying"),
    [
        ((), 2, 0, [1, 2]),
        ((4,), 2, 0, [1, 4]),
        ((3, 4), 1, 0, [3, 4]),
        ((), 4, 25, [1, 2]),
        ((4,), 4, 25, [1, 4]),
        ((1,), 4, 5, [1]),
    ],
    ids=["count", "needed one counts", "needed ones stay", "bytes", "needed bytes count", "large"],
)
def test_newest_and_needed_stay(
    needed: tuple[int, ...], keep_versions: int, keep_bytes: int, staying: list[int]
) -> None:
    """By count and bytes, but what is needed stays in any case."""
    names = {f"v-{number:012x}" for number in needed}
    found = kept(records(10, 10, 10, 10), names, keep_versions=keep_versions, keep_bytes=keep_bytes)
    assert numbers(found) == staying


def test_seen_is_remembered_for_a_while() -> None:
    """A version that a client named runs, until nobody has named it for long."""
    seen = Seen(["v-1", "v-2"])
    assert seen.lately(60) == frozenset()
    seen.noted("v-1")
    assert seen.lately(60) == {"v-1"}
    assert seen.lately(-1) == frozenset()


def test_strangers_versions_take_no_memory() -> None:
    """Whoever asks with made-up versions leaves nothing behind."""
    seen = Seen([])
    for number in range(1000):
        seen.noted(f"v-{number:012x}")
    assert not seen._at
