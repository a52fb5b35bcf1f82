"""
Tells the service manager how the process gets on: when it is ready, what it does, that it lives.

A message is a datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names:
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
With `WATCHDOG_USEC` the manager kills a process that is silent for so long. The messages come from
the event loop, so a loop that is stuck sends none:
https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html
"""

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from directcd.life import Life
from directcd.systemd.variables import taken_number

PULSE_SECONDS = 5.0
"""Between two messages: `systemctl status` need not be newer."""

PATIENCE_PULSES = 4
"""A stop goes on as long as no more messages than that are late."""

LEAST_PULSE_SECONDS = 0.1
"""However impatient a watchdog is: the process has other things to do."""

_MICROSECONDS = 1_000_000

logger = logging.getLogger(__name__)


@dataclass
class Manager:
    """
    The service manager.

    Attributes:
        address: Of its socket, a path; an abstract one begins with `@`.
        watchdog_seconds: How long it lets the process be silent, 0 for ever.
        is_heard: Whether it took the last message: that it did not is said once.
    """

    address: str
    watchdog_seconds: float = 0.0
    is_heard: bool = field(default=True, init=False)

    @property
    def pulse_seconds(self) -> float:
        """Between two messages: half of what the watchdog allows, as its manual page advises."""
        wanted = self.watchdog_seconds / 2 or PULSE_SECONDS
        return min(PULSE_SECONDS, max(LEAST_PULSE_SECONDS, wanted))

    @property
    def patience(self) -> int:
        """How long a stop may go on after each message, in microseconds."""
        return int(self.pulse_seconds * PATIENCE_PULSES * _MICROSECONDS)

    def tell(self, **variables: str | int) -> bool:
        """Send one message, and whether it was taken at once; if not, that is no reason to fail."""
        text = "\n".join(f"{name}={_line(value)}" for name, value in variables.items())
        place = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                # The event loop does not wait for a manager that does not read.
                sending.sendto(text.encode(), socket.MSG_DONTWAIT, place)
        except OSError as error:
            if self.is_heard:
                keys = {"said": text, "reason": error.strerror or str(error)}
                logger.warning("the service manager cannot be told", extra=keys)
            self.is_heard = False
        else:
            self.is_heard = True
        return self.is_heard


def manager_in(environment: MutableMapping[str, str]) -> Manager | None:
    """
    Return the manager that an environment names, which then names it no longer.

    So no program that is started can speak in our name.
    """
    address = environment.pop("NOTIFY_SOCKET", "")
    microseconds = taken_number(environment, "WATCHDOG_USEC")
    pid = environment.pop("WATCHDOG_PID", "")
    if not address.startswith(("/", "@")):
        return None
    is_meant = pid in {"", str(os.getpid())}
    return Manager(address, microseconds / _MICROSECONDS if is_meant else 0.0)


async def keep_told(manager: Manager, lives: Sequence[Life], stopping: asyncio.Event) -> None:
    """
    Tell the manager of a process's parts until cancelled.

    Args:
        manager: Who is told.
        lives: The parts; the process is ready when all are.
        stopping: Set when it is to end.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_tell_ready(manager, lives), name="tell that all are ready")
        tasks.create_task(_tell_stopping(manager, stopping), name="tell that it stops")
        tasks.create_task(_pulse(manager, lives, stopping), name="tell that it lives")


async def _tell_ready(manager: Manager, lives: Sequence[Life]) -> None:
    for life in lives:
        await life.ready.wait()
    while not manager.tell(READY=1, STATUS=_standing(lives)):  # noqa: ASYNC110 - others' state
        await asyncio.sleep(manager.pulse_seconds)


async def _tell_stopping(manager: Manager, stopping: asyncio.Event) -> None:
    await stopping.wait()
    manager.tell(STOPPING=1, STATUS="stopping", EXTEND_TIMEOUT_USEC=manager.patience)


async def _pulse(manager: Manager, lives: Sequence[Life], stopping: asyncio.Event) -> NoReturn:
    told = ""
    while True:
        variables: dict[str, str | int] = {"WATCHDOG": 1} if manager.watchdog_seconds else {}
        if stopping.is_set():
            # It ends by itself, but a program may take longer than the manager thinks.
            variables["EXTEND_TIMEOUT_USEC"] = manager.patience
        elif told != (standing := _standing(lives)):
            variables["STATUS"] = standing
        if variables and manager.tell(**variables):
            told = str(variables.get("STATUS", told))
        await asyncio.sleep(manager.pulse_seconds)


def _standing(lives: Sequence[Life]) -> str:
    return "; ".join(filter(None, (life.standing() for life in lives))) or "starting"


def _line(value: str | int) -> str:
    """A line break would begin another variable."""
    return " ".join(str(value).split())
