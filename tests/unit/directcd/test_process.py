"""Processes made of parts: they end together, and begin with what they will need."""

import gc
import resource
from collections.abc import Iterator

import pytest

from directcd import process
from directcd.life import Life


def test_the_first_part_that_fails_ends_the_others() -> None:
    """A process that does half its job is worse than none."""
    ended = []

    async def fails(_: Life) -> None:
        raise process.StartError("no")

    async def waits(life: Life) -> None:
        try:
            await life.stopping.wait()
        finally:
            ended.append(True)

    with pytest.raises(ExceptionGroup):
        process.run(waits, fails)
    assert ended == [True]


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_is_there_at_the_start_is_not_looked_through_again(collector: None) -> None:
    """A busy process does not pause for what never becomes garbage."""
    frozen = []

    async def looks(_: Life) -> None:
        frozen.append(gc.get_freeze_count())

    process.run(looks)
    assert frozen[0] > 1000


def test_as_many_connections_are_held_as_the_system_lets_it() -> None:
    """The soft limit of descriptors is raised, whatever the shell gave."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = []

    async def looks(_: Life) -> None:
        found.append(resource.getrlimit(resource.RLIMIT_NOFILE))

    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        process.run(looks)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == [(min(hard, process.DESCRIPTORS), hard)]
