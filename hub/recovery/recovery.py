"""Who looks for missed pushes: of all hubs on one log the one that has the lease."""

import asyncio
import logging
import secrets
from collections.abc import Sequence

from hub.log.base import Log, LogUnavailable
from hub.log.values import Lease
from hub.recovery.away import Away
from hub.recovery.rounds import Rounds

logger = logging.getLogger(__name__)

LEASE = "recovery"
LEASE_SECONDS = 5.0  # when the hub that has it is killed, another begins so soon
RENEW_SECONDS = 1.5
SIGN_SECONDS = 10.0
STALLED_SECONDS = 30.0


class Recovery:
    """The looks at all sources, and the hub's own signs of life."""

    def __init__(self, rounds: Sequence[Rounds], log: Log, away: Away) -> None:
        """
        Args:
            rounds: of each source that has a token for its forge.
            log: the hub's.
            away: notes signs of life.
        """
        self.rounds = rounds
        self._log = log
        self._away = away
        self._owner = secrets.token_hex(8)

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            lease = await self._lease_taken()
            try:
                await self._look()
            finally:
                await self._give_back(lease)

    async def close(self) -> None:
        """Close every connection."""
        for one in self.rounds:
            await one.close()

    async def _lease_taken(self) -> Lease:
        while True:
            try:
                lease = await self._log.lease(LEASE, self._owner, LEASE_SECONDS)
                if lease:
                    await self._away.remember()
                    return lease
            except LogUnavailable as error:
                logger.debug("no lease for recovery", extra={"reason": str(error)})
            await asyncio.sleep(RENEW_SECONDS)

    async def _look(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            names = {f"look at {one.source}": one for one in self.rounds}
            looks = [tasks.create_task(one.run(), name=name) for name, one in names.items()]
            await self._keep()
            for look in looks:
                look.cancel()

    async def _keep(self) -> None:
        """Renew the lease and give signs of life, until another hub has it."""
        loop = asyncio.get_running_loop()
        signed, was_unavailable = 0.0, False
        while True:
            asleep = loop.time()
            try:
                if not await self._log.lease(LEASE, self._owner, LEASE_SECONDS):
                    return
                if asleep - signed >= SIGN_SECONDS:
                    await self._away.sign()
                    signed = asleep
                if was_unavailable:
                    self._ring("the log was away")
                was_unavailable = False
            except LogUnavailable as error:
                if not was_unavailable:
                    logger.info("the log takes no sign of life", extra={"reason": str(error)})
                was_unavailable = True
            await asyncio.sleep(RENEW_SECONDS)
            if loop.time() - asleep > STALLED_SECONDS:
                self._ring("this process stood still")

    def _ring(self, why: str) -> None:
        logger.info("looking for missed pushes", extra={"reason": why})
        for one in self.rounds:
            one.ring()

    async def _give_back(self, lease: Lease) -> None:
        try:
            await self._log.release(lease)
        except LogUnavailable as error:  # it ends by itself
            logger.debug("lease not given back", extra={"reason": str(error)})
