"""Errors a person can mend, as one sentence on stderr and an exit code instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from directcd.exits import Exit
from directcd.terminal import colourless


@contextmanager
def explained() -> Iterator[None]:
    """Exit with a message for the errors we know; leave the others their traceback."""
    try:
        yield
    except Exception as error:
        # Parts of one process may fail of one thing, which is said once.
        leaves = {(type(leaf), str(leaf)): leaf for leaf in _leaves(error)}
        codes = [_say(leaf) for leaf in leaves.values()]
        if None in codes:
            raise
        sys.exit(max(code for code in codes if code is not None))


def mendable() -> tuple[type[BaseException], ...]:
    """Every error that a person can mend."""
    return tuple(kind for kind, _ in _mendable())


def _leaves(error: BaseException) -> Iterator[BaseException]:
    # A TaskGroup wraps what its tasks raise.
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(error: BaseException) -> Exit | None:
    code = next((code for kind, code in _mendable() if isinstance(error, kind)), None)
    if code is not None:
        # It may quote a stranger's file.
        sys.stderr.write(f"directcd: {colourless(str(error))}\n")
    return code


def _mendable() -> list[tuple[type[BaseException], Exit]]:
    # Imported when something failed, not when the command starts.
    from adapters import AdapterError
    from cd4sources.building import BuildFailed, NoToolchain
    from cd4sources.delivery.sockets import AddressUnusable
    from cd4sources.locking import DataUnusable
    from cd4sources.running.confinement import CannotConfine
    from cd4sources.signing import KeyUnusable
    from cd4sources.sources.repository import RepositoryError
    from cd4sources.targets import TargetError
    from directcd.demo.world import DemoError
    from directcd.errors import ConfigError
    from directcd.process import StartError
    from directcd.pull.errors import BadArguments
    from directcd.recordings import RecordingError
    from hub.exporting import ExtraMissing
    from hub.log.base import LogError
    from hub.secrets import SecretFileError

    return [
        (ConfigError, Exit.USAGE),
        (ExtraMissing, Exit.USAGE),
        (BadArguments, Exit.USAGE),
        (TargetError, Exit.USAGE),
        (NoToolchain, Exit.USAGE),
        (BuildFailed, Exit.BUILD_FAILED),
        (RepositoryError, Exit.UNREACHABLE),
        (KeyUnusable, Exit.USAGE),
        (CannotConfine, Exit.USAGE),
        (AdapterError, Exit.USAGE),
        (SecretFileError, Exit.USAGE),
        (RecordingError, Exit.USAGE),
        (StartError, Exit.FAILED),
        (LogError, Exit.FAILED),
        (DataUnusable, Exit.FAILED),
        (AddressUnusable, Exit.FAILED),
        (DemoError, Exit.FAILED),
    ]
