"""
Notes who was refused at a webhook, for a person to look at later.

Anybody can be refused as often as he likes: equal refusals are counted, what is new is written once
a second and not by whoever answers, and what is too much for that is left out.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from hub.api.admitting import Admission
from hub.api.asgi import Scope, header_map
from hub.keeping import Headers, kept_headers
from hub.log.base import Log, LogUnavailable
from hub.log.refused import Refusal, gist
from hub.problem import Problem

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
AT_ONCE = 50  # different ones a second; a person reads no more, and a stranger could send them
STRANGE_AT_ONCE = 10  # of those at paths that lead to no source: anybody can make them up
UNKNOWN = "unknown-source"
PATH_CHARACTERS = 200
HEADERS_CHARACTERS = 4_096  # of a refusal; forges send a tenth of that
LENGTH_DIGITS = 15


@dataclass(slots=True)
class _Noted:
    """Equal refusals that are not written yet: the last of them, and how many."""

    first_at: datetime
    last_at: datetime
    scope: Scope
    problem: Problem
    count: int


class RefusalBook:
    """Remembers refusals in the log."""

    def __init__(
        self,
        log: Log,
        clock: Callable[[], datetime],
        admission: Admission,
        on_written: Callable[[], None],
    ) -> None:
        """
        Args:
            log: where they are kept.
            clock: the time, aware and in UTC.
            admission: knows who was refused.
            on_written: called whenever some were.
        """
        self._admission = admission
        self._on_written = on_written
        self._log = log
        self._clock = clock
        self._noted: dict[tuple[str, ...], _Noted] = {}

    def note(self, scope: Scope, problem: Problem) -> None:
        """A request was refused."""
        now = self._clock()
        key = (scope["path"], problem.code, gist(problem.detail), problem.advice)
        noted = self._noted.get(key)
        if noted:
            noted.last_at, noted.scope, noted.count = now, scope, noted.count + 1
        elif len(self._noted) < AT_ONCE and not self._is_too_strange(problem.code):
            self._noted[key] = _Noted(now, now, scope, problem, 1)

    def _is_too_strange(self, code: str) -> bool:
        """Whether paths that nobody has configured have had their share."""
        strange = sum(one.problem.code == UNKNOWN for one in self._noted.values())
        return code == UNKNOWN and strange >= STRANGE_AT_ONCE

    async def run(self) -> None:
        """Write what is noted, once a second, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what is noted now; what the log does not take is forgotten."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._log.refuse([self._refusal(one) for one in noted.values()])
        except LogUnavailable as error:
            logger.warning("refusals not kept", extra={"reason": str(error)})
        else:
            self._on_written()

    def _refusal(self, noted: _Noted) -> Refusal:
        problem, headers = noted.problem, header_map(noted.scope)
        provider, source = names_of(noted.scope["path"])
        declared = headers.get("content-length", "")
        is_number = declared.isascii() and declared.isdecimal() and len(declared) <= LENGTH_DIGITS
        return Refusal(
            at=noted.first_at,
            last_at=noted.last_at,
            path=noted.scope["path"][:PATH_CHARACTERS],
            provider=provider,
            source=source,
            status=problem.status,
            code=problem.code,
            detail=problem.detail,
            next=problem.advice or problem.next_step,
            peer=self._admission.sender(noted.scope),
            headers=_few(kept_headers(headers)),
            body_bytes=int(declared) if is_number else 0,
            hints={name: str(hint) for name, hint in problem.log_keys.items() if hint},
            count=noted.count,
        )


def names_of(path: str) -> tuple[str, str]:
    """The provider and the source that a webhook's path names, "" where it names none."""
    _, _, rest = path.strip("/").partition("/")
    provider, _, source = rest.partition("/")
    return provider[:PATH_CHARACTERS], source[:PATH_CHARACTERS]


def _few(headers: Headers) -> Headers:
    """Of headers that nobody has signed, as many as are worth keeping."""
    sizes = accumulate(len(name) + len(value) for name, value in headers)
    return [one for one, size in zip(headers, sizes, strict=True) if size <= HEADERS_CHARACTERS]
