"""Looking up names without holding up anybody else."""

import asyncio
import ipaddress
import socket
import threading
from contextlib import suppress


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def addresses(host: str, port: int) -> list[str]:
    """
    A host's addresses, the best one first; an address is its own.

    Raises:
        OSError: there are none now.
    """
    return [host] if is_address(host) else await resolve_by_system(host, port)


async def resolve_by_system(host: str, port: int) -> list[str]:
    """
    A host's addresses as the operating system finds them.

    Raises:
        OSError: there are none now.
    """
    # A thread of its own, a daemon: looking up a name can take half a minute and cannot be
    # stopped. It must neither keep the log's threads busy nor the process from ending.
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            result: list[str] | OSError = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as error:
            result = error if isinstance(error, OSError) else OSError(str(error))
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_settle, found, result)

    threading.Thread(target=look_up, name="hub name lookup", daemon=True).start()
    return await found


def _settle(found: "asyncio.Future[list[str]]", result: list[str] | OSError) -> None:
    if found.done():
        return
    if isinstance(result, OSError):
        found.set_exception(result)
    else:
        found.set_result(result)
