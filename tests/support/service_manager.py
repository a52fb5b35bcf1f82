"""A service manager for tests: its socket, on which it is told things, and those it passes on."""

import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cd4sources.delivery import handover

SECONDS = 30.0  # a message takes no longer to come, on a busy machine


class Told:
    """What processes say to a manager, message by message, in their order."""

    def __init__(self, listening: socket.socket) -> None:
        """Listen there."""
        self._listening = listening
        listening.settimeout(SECONDS)

    def next(self) -> dict[str, str]:
        """The next message; raises TimeoutError when none comes."""
        lines = self._listening.recv(65_536).decode().split("\n")
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def until(self, name: str) -> dict[str, str]:
        """The next message that has a variable of this name."""
        while name not in (message := self.next()):
            pass
        return message

    def is_silent_for(self, seconds: float) -> bool:
        """Whether nothing more is said for so long; what was said before does not count."""
        self._listening.settimeout(0)
        try:
            while self._listening.recv(65_536):
                pass
        except BlockingIOError:
            self._listening.settimeout(seconds)
        try:
            return not self._listening.recv(65_536)
        except TimeoutError:
            return True
        finally:
            self._listening.settimeout(SECONDS)


@contextmanager
def told_at(address: str) -> Iterator[Told]:
    """A manager's socket; an abstract one begins with `@`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        yield Told(listening)


def handing_over(sockets: Mapping[str, socket.socket], command: Sequence[str]) -> list[str]:
    """The command that passes sockets on, each by its name, and becomes another one."""
    pairs = [f"{name}={one.fileno()}" for name, one in sockets.items()]
    return [sys.executable, "-I", "-S", handover.__file__, *pairs, "--", *command]


def variables(place: Path) -> dict[str, str]:
    """What a manager tells a process in its environment, with a watchdog of two seconds."""
    return {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "2000000"}
