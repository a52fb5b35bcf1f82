"""Running what `directcd pull` was told: for ever, once, or not at all."""

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cd4sources.building import BuildFailed
from cd4sources.delivery.delivering import Round
from cd4sources.direct.pulling import Direct
from cd4sources.locking import unusable
from cd4sources.running.commands import INHERITED, Outputs
from cd4sources.sources.repository import RepositoryError
from cd4sources.targets import Target
from directcd import process
from directcd.exits import Exit
from directcd.hubs import redis_hub
from directcd.life import Life
from directcd.pull.arguments import Pull
from directcd.pull.errors import BadArguments
from directcd.pull.telling import teller_for
from directcd.pull.thrift import be_thrifty
from directcd.standalone import standalone

_CODES: dict[Round, Exit] = {
    "started": Exit.OK,
    "unchanged": Exit.NOTHING_NEW,
    "refused": Exit.ROLLED_BACK,
    "failed": Exit.FAILED,
}
_STDERR = 2
_QUIET_END_SECONDS = 0.5
_PROGRAM_LOG = "program.log"

logger = logging.getLogger(__name__)


def run(pull: Pull) -> Exit:
    """
    Do it; returns the exit code.

    Raises:
        BadArguments: The options contradict each other.
        ConfigError: The hub's address is malformed.
        NoToolchain: There is nothing to build with, and nothing is built that could run.
        DataInUse: Another process works in the directory.
        AddressUnusable: A socket cannot be had.
    """
    be_thrifty()
    target = Target.from_settings(pull.target)
    if pull.dry_run:
        from directcd.pull.rehearsal import rehearse

        asyncio.run(rehearse(pull, target))
        return Exit.OK
    if pull.once and pull.client.sockets:
        raise BadArguments("--socket: with --once nobody would go on listening; leave one of both")
    with _outputs(pull) as outputs, teller_for(pull, target) as teller:
        direct = Direct(
            pull.server,
            pull.client,
            target,
            hub=redis_hub(pull.server.hub, pull.server.name, [target]),
            witness=teller,
            outputs=outputs,
        )
        return _once(direct) if pull.once else _for_ever(direct, pull)


def _for_ever(direct: Direct, pull: Pull) -> Exit:
    async def tell(life: Life) -> None:
        """Say why it takes long to end, if it does."""
        await life.stopping.wait()
        await asyncio.sleep(_QUIET_END_SECONDS)
        seconds = pull.client.stop_timeout_seconds
        logger.warning("stopping", extra={"killed_after_seconds": seconds, "at_once": "Ctrl-C"})

    async def run(life: Life) -> None:
        telling = asyncio.create_task(tell(life), name="tell")
        try:
            await standalone(direct)(life)
        finally:
            telling.cancel()

    process.run(run)
    return Exit.OK


def _once(direct: Direct) -> Exit:
    """What it came to as an exit code; the program runs on without us."""
    found: list[Exit] = []

    async def look(life: Life) -> None:
        looking = asyncio.create_task(_code(direct), name="look")
        stopped = asyncio.create_task(life.stopping.wait(), name="stopped")
        await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if life.stopping.is_set():
            looking.cancel()
            await asyncio.wait({looking})
        found.append(Exit.INTERRUPTED if looking.cancelled() else looking.result())

    process.run(look)
    return found[0]


async def _code(direct: Direct) -> Exit:
    once = await direct.once()
    if isinstance(once.error, BuildFailed):
        return Exit.BUILD_FAILED
    if isinstance(once.error, RepositoryError):
        return Exit.UNREACHABLE
    if once.error:
        return Exit.FAILED
    return _CODES[once.came_to]


@contextmanager
def _outputs(pull: Pull) -> Iterator[Outputs]:
    """Where the program's output goes: its own when we leave it, beside our events otherwise."""
    if not pull.once:
        yield Outputs(stdout=_STDERR) if pull.as_json else INHERITED
        return
    descriptor = _opened(pull.client.data.parent / _PROGRAM_LOG)
    try:
        yield Outputs(descriptor, descriptor)
    finally:
        os.close(descriptor)


def _opened(log: Path) -> int:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise unusable(log.parent, error) from error
