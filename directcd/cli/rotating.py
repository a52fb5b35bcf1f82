"""`directcd hook rotate`: one source after the other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from directcd.cli import hooking
from directcd.cli.hook_options import Asked
from directcd.errors import ConfigError

if TYPE_CHECKING:
    from directcd.hooks.outcomes import Outcome
    from directcd.hooks.overlap import Overlap
    from directcd.hooks.registering import Desk
    from directcd.hooks.rotating import Rotation


def rotated(asked: Asked, settle_seconds: float) -> "list[Outcome]":
    """
    Rotate every source that is concerned.

    Args:
        asked: where, and with what.
        settle_seconds: how long after its last delivery the old secret is kept.

    Raises:
        ConfigError: the secret of one is in no file of its own.
        SecretFileError: there is none yet.
    """
    from directcd.hooks.working import opened

    overlaps = {name: _overlap(asked, name) for name in asked.sources}

    async def run() -> "list[Outcome]":
        async with opened(asked.means, asked.places, lambda _: "") as office:
            found = []
            for name, overlap in overlaps.items():
                desks = [desk for desk in office.desks if desk.chosen.source == name]
                rotation = _rotation(asked, desks, overlap, settle_seconds)
                found += await (rotation.would() if asked.means.is_dry else rotation.run())
            return found

    with ExitStack() as stack:
        for overlap in overlaps.values():
            stack.enter_context(_alone(overlap))
        return hooking.run_or_refuse(run)


def _rotation(
    asked: Asked, desks: "list[Desk]", overlap: "Overlap", settle_seconds: float
) -> "Rotation":
    from directcd.hooks.ending import Ending
    from directcd.hooks.rotating import Rotation

    name, witness = desks[0].chosen.source, desks[0].prover.witness
    places = [desk.chosen for desk in desks]
    ending = Ending(name, places, overlap, witness, asked.is_all, settle_seconds)
    return Rotation(name, desks, overlap, witness, ending, hooking.say)


def _overlap(asked: Asked, name: str) -> "Overlap":
    from directcd.hooks.overlap import Overlap
    from directcd.hooks.source_secrets import file_of

    settings = asked.means.hub.sources[name]
    file = file_of(settings)
    if settings.insecure:
        raise ConfigError(f"source {name} takes unsigned deliveries: there is no secret to rotate")
    if file is None:
        raise ConfigError(
            f"the secret of source {name} stands in the configuration itself, where nothing can "
            "exchange it: use secrets_files, or put the new one before the old in `secrets`"
        )
    overlap = Overlap(file)
    overlap.new()  # there must be one
    return overlap


@contextmanager
def _alone(overlap: "Overlap") -> Iterator[None]:
    from directcd.hooks.overlap import alone

    try:
        with alone(overlap.file):
            yield
    except OSError as error:
        raise ConfigError(f"{error.filename or overlap.file}: {error.strerror}") from error
