"""Whether a program that was just started is healthy: it lives, and what was configured says so."""

import logging
import time
from pathlib import Path

from cd4sources.delivery.programs import Program, Unhealthy
from cd4sources.http import Http, HttpError
from cd4sources.running.commands import Command, CommandError, CommandNotFound, run
from cd4sources.settings import ClientSettings

PAUSE_SECONDS = 0.05
"""Between two questions: what a swap may wait too long."""

QUESTION_SECONDS = 5.0
"""What takes longer to answer is not healthy."""

PATIENCE_SECONDS = 3.0
"""A program that is not healthy by then is worth a line in the log, before its time is up."""

logger = logging.getLogger(__name__)


class Sick(Unhealthy):
    """It lives, but is not healthy."""


class Health:
    """
    What a program must show.

    Args:
        settings: The settle time, the questions and the time-out.
        http: The connections to use for the health URL.
    """

    def __init__(self, settings: ClientSettings, http: Http) -> None:
        """Ask nothing yet."""
        self._settings = settings
        self._http = http

    async def prove(self, program: Program) -> None:
        """
        Wait until a program is healthy.

        Raises:
            Sick: It was not in time.
            Unhealthy: It ended.
        """
        await program.live_on(self._settings.settle_seconds)
        limit = self._settings.health_timeout_seconds
        asked_at = time.monotonic()
        told = False
        while sick := await self._sickness(program, asked_at + limit - time.monotonic()):
            waited = time.monotonic() - asked_at
            if waited >= limit:
                reason = f"not healthy within {limit:g} s: {sick} {program.last_words}"
                raise Sick(reason, blameless=sick.blameless)
            if not told and waited >= PATIENCE_SECONDS:
                told = True
                keys = {"version": program.version, "reason": str(sick)}
                logger.warning("program is not healthy yet", extra=keys)
            await program.live_on(PAUSE_SECONDS)
        await program.live_on(0)

    async def _sickness(self, program: Program, left_seconds: float) -> Sick | None:
        """Ask every question once; why the program is not healthy, None when it is."""
        patience = min(max(left_seconds, PAUSE_SECONDS), QUESTION_SECONDS)
        return await self._answer(patience) or await self._verdict(program, patience)

    async def _answer(self, patience_seconds: float) -> Sick | None:
        if not self._settings.health_url:
            return None
        try:
            await self._http.get_json(self._settings.health_url, timeout_seconds=patience_seconds)
        except HttpError as error:
            return Sick(str(error))
        return None

    async def _verdict(self, program: Program, patience_seconds: float) -> Sick | None:
        if not self._settings.health_command:
            return None
        command = Command(
            argv=self._settings.health_command,
            label="health_command",
            cwd=Path.cwd(),
            env=program.env,
            owner=self._settings.data,
            timeout_seconds=patience_seconds,
        )
        try:
            done = await run(command)
        except CommandError as error:
            return Sick(str(error), blameless=isinstance(error, CommandNotFound))
        if done.returncode == 0:
            return None
        said = done.tail.strip().rpartition("\n")[2]
        return Sick(f"health_command ended with {done.returncode}: {said}")
