"""
Sessions with Redis: one connection for commands and one for the subscription, to the same server.

Whatever goes wrong with either ends the session, and the next one begins as if it were the first:
the server is looked for again, the subscription made anew, what was missed is read.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_connection import RedisRefusal
from hub.log.redis_node import RedisNode
from hub.log.redis_reader import RedisReader
from hub.log.values import Event, Gap

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.05
MOST_PAUSE_SECONDS = 1.0

# Refusals that are about the server and not about the command: another session may find it better.
ENDING = frozenset(
    {"ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM",
     "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED", "WRONGPASS"}
)  # fmt: skip

Step = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    return


class RedisSession:
    """Keeps a session alive; `reader.head` is how far its listener was told."""

    def __init__(
        self,
        node: RedisNode,
        emit: Callable[[Sequence[Event] | Gap], None],
        *,
        prepare: Step = _nothing,
        recover: Step = _nothing,
    ) -> None:
        """
        Args:
            node: the server, wherever it is.
            emit: told every event in order, and gaps.
            prepare: what each session begins with, once there is a connection.
            recover: what follows when everything missed was told; only then it is up.
        """
        self._node = node
        self._prepare = prepare
        self._recover = recover
        self._up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self.reader = RedisReader(node, emit)
        self.trouble = "not connected yet"
        self.lost_at = 0.0
        self.troubled_since = time.time()

    @property
    def is_up(self) -> bool:
        """Whether commands can succeed."""
        return self._up.is_set()

    async def wait_until_up(self) -> None:
        """Return when commands can succeed."""
        await self._up.wait()

    async def open(self) -> None:
        """
        Connect; when Redis is away, go on trying.

        Raises:
            LogUnfit: Redis is there, and cannot be used as it is set up.
        """
        try:
            await self._begin()
        except LogUnavailable as error:
            self._down(error)
        except LogUnfit as error:
            self._end(str(error))
            await asyncio.sleep(0)  # transports are closed in the loop's next turn
            raise
        self._keeping = asyncio.create_task(self._keep(), name="redis session")

    async def close(self) -> None:
        """End the session; what is under way is told that it may have happened, or not."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        self._end("the log is closed")
        await asyncio.sleep(0)

    def doubt(self, error: LogUnavailable) -> None:
        """Note that a command failed: is it the server's state, the next session begins."""
        if not isinstance(error, RedisRefusal):
            self._note_loss()
            self._up.clear()  # the connection is lost; the next one is already being made
            return
        found = self._node.judged(error)
        if isinstance(found, LogUnfit) or error.code in ENDING:
            self._end(str(found))

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                if not self._up.is_set():
                    await self._begin()
                pause = FIRST_PAUSE_SECONDS
                await self.reader.keep()
            except RedisRefusal as error:
                self._down(self._node.judged(error))
            except (LogUnavailable, LogUnfit) as error:
                self._down(error)
            except Exception as error:  # a mistake here must not leave the hub deaf for good
                logger.exception("the session with Redis failed")
                self._down(error)
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter is no secret
            pause = min(pause * 2, MOST_PAUSE_SECONDS)

    async def _begin(self) -> None:
        await self._node.connect()
        try:
            await self._prepare()
            await self.reader.start()
            await self._recover()
        except RedisRefusal as error:
            raise self._node.judged(error) from error
        if self.trouble:
            logger.info("connected to Redis", extra={"address": str(self._node.address)})
        self.trouble = ""
        self._up.set()

    def _down(self, error: Exception) -> None:
        self._end(str(error))
        reason = str(error) or type(error).__name__
        if reason != self.trouble:  # once a reason, not once an attempt
            level = logging.ERROR if isinstance(error, LogUnfit) else logging.WARNING
            keys = {"address": str(self._node.address), "reason": reason}
            logger.log(level, "Redis cannot be used, trying again", extra=keys)
        self.trouble = reason

    def _note_loss(self) -> None:
        if self._up.is_set():
            self.lost_at = time.monotonic()
            self.troubled_since = time.time()

    def _end(self, reason: str) -> None:
        self._note_loss()
        self._up.clear()
        self.reader.stop(reason)
        self._node.disconnect(reason)
