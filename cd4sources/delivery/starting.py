"""A version becomes a program that runs, and one that is healthy."""

import logging
from pathlib import Path

from cd4sources.delivery import programs
from cd4sources.delivery.programs import Program
from cd4sources.delivery.proving import Health, Sick
from cd4sources.delivery.sockets import Sockets
from cd4sources.http import Http
from cd4sources.running.commands import Outputs
from cd4sources.settings import ClientSettings

logger = logging.getLogger(__name__)


class Starter:
    """
    Starts programs, all in the same way.

    Args:
        settings: How to start and prove them.
        http: The connections to use for the health URL.
        sockets: What they inherit.
        outputs: Where their output goes.
    """

    def __init__(
        self, settings: ClientSettings, http: Http, sockets: Sockets, outputs: Outputs
    ) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._health = Health(settings, http)
        self._sockets = sockets
        self._outputs = outputs

    async def start(self, version: str, path: Path) -> Program:
        """
        Start a version.

        Raises:
            Unhealthy: It cannot be started.
        """
        command = self._sockets.command((str(path), *self._settings.args))
        descriptors = self._sockets.descriptors
        return await programs.start(
            version, path, self._settings, command, descriptors, outputs=self._outputs
        )

    def let_go(self, program: Program) -> None:
        """Have one live on, with its sockets, when we end; another cannot be started here then."""
        program.spawned.let_go()
        self._sockets.let_go()

    async def healthy(self, version: str, path: Path, *, forgiving: bool) -> Program:
        """
        Start a version and wait until it is healthy; kill it whenever that ends otherwise.

        Args:
            version: Its id.
            path: Its executable file.
            forgiving: Whether it is enough that it lives.

        Raises:
            Unhealthy: It cannot be started, or is not healthy.
        """
        program = await self.start(version, path)
        try:
            await self._health.prove(program)
        except BaseException as error:
            if forgiving and isinstance(error, Sick):
                keys = {"version": version, "reason": str(error)}
                logger.warning("program lives and was healthy here before: kept", extra=keys)
                return program
            await program.kill()
            raise
        return program
