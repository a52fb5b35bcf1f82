"""
Takes over sockets that the service manager already listens on.

The manager keeps them when the process ends: who connects meanwhile waits in the kernel for the
next process, so that a restart refuses nobody. The protocol (descriptors from 3 on, `LISTEN_FDS`,
`LISTEN_PID`, `LISTEN_FDNAMES`):
https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import logging
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence

from cd4sources.settings import ServerSettings
from directcd.config import Config
from directcd.listening import EVERY_ADDRESS
from directcd.process import StartError
from directcd.serving import address, host_and_port
from directcd.systemd.variables import taken_number
from hub.settings import HubSettings

FIRST_DESCRIPTOR = 3
MOST_SOCKETS = 1000
INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})

Passed = Mapping[str, socket.socket]
"""A listening socket for each part that has one, by the part's name."""

logger = logging.getLogger(__name__)


def passed_in(
    environment: MutableMapping[str, str], names: Sequence[str], first: int = FIRST_DESCRIPTOR
) -> Passed:
    """
    Return the sockets that were passed to this process; the environment tells of them no longer.

    Args:
        environment: Where `LISTEN_PID` and the others are looked up.
        names: The parts that listen. A single one has the socket whatever its name is; of several,
            each has the one with its name (`FileDescriptorName=` of the socket's unit).
        first: The first descriptor.

    Raises:
        StartError: what was passed cannot be served.
    """
    pid = environment.pop("LISTEN_PID", "")
    count = taken_number(environment, "LISTEN_FDS", MOST_SOCKETS)
    named = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()):
        return {}
    named += [""] * (count - len(named))
    parts = [_part(names, name) for name in named[:count]]
    if twice := sorted({one for one in parts if parts.count(one) > 1}):
        raise StartError(f"two sockets were passed for {twice[0]}: leave one ListenStream= to it")
    return {part: _listener(place, part) for place, part in enumerate(parts, first)}


def served_there(config: Config, passed: Passed) -> Config:
    """The configuration, whose parts listen where their sockets do, which is said if it differs."""
    for name, listener in passed.items():
        settings = _settings(config, name)
        place = address(listener)
        if _written_alike(settings.listen) != _written_alike(place):
            keys = {"service": name, "configured": settings.listen, "address": place}
            logger.warning("listen is not used, for a socket was passed", extra=keys)
        update = {name: settings.model_copy(update={"listen": place})}
        config = config.model_copy(update=update)
    return config


def _settings(config: Config, name: str) -> HubSettings | ServerSettings:
    if name == "hub":
        return config.hub or HubSettings()
    return config.server or ServerSettings()


def _part(names: Sequence[str], name: str) -> str:
    if len(names) == 1:
        return names[0]
    if name not in names:
        wanted = " or ".join(names)
        raise StartError(f"a socket named {name!r} was passed: FileDescriptorName= is {wanted}")
    return name


def _listener(descriptor: int, part: str) -> socket.socket:
    try:
        passed = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartError(f"descriptor {descriptor}, passed for {part}: {error}") from error
    is_listening = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if passed.family not in INTERNET or not is_listening:
        passed.close()
        raise StartError(f"the socket for {part} cannot be served: ListenStream= is a TCP address")
    passed.set_inheritable(False)
    return passed


def _written_alike(listen: str) -> tuple[str, int]:
    host, port = host_and_port(listen)
    return "" if host in EVERY_ADDRESS | {"::"} else host, port
