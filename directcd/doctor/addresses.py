"""Addresses that a configuration names: can they be meant like that? Nothing is connected."""

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations
from shutil import which
from urllib.parse import urlsplit

from cd4sources.settings import ClientSettings
from directcd.config import Config
from directcd.doctor import places
from directcd.doctor.findings import Finding, ok, problem, warning
from directcd.listening import EVERY_ADDRESS
from directcd.process import StartError
from directcd.serving import host_and_port
from directcd.whom import server_of

Address = tuple[str, int]

_TOKEN = "make a token with `directcd token new`, or listen on 127.0.0.1 behind a proxy"  # noqa: S105 - a sentence


def check(config: Config) -> Iterator[Finding]:
    """Listening addresses, and how a program's health is asked."""
    found: list[tuple[str, Address]] = []
    for where, listen in places.listening(config):
        try:
            found.append((where, host_and_port(listen)))
        except StartError as error:
            what, _, step = str(error).partition("; ")
            yield problem(what, where, step)
    yield from _unguarded(config, dict(found))
    if config.client:
        found += _handed_over(config.client)
        yield from _health(config.client)
    yield from _equal(found)


def is_meant(listen: str) -> bool:
    """Whether an address can be listened on at all."""
    try:
        host_and_port(listen)
    except StartError:
        return False
    return True


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unguarded(config: Config, found: dict[str, Address]) -> Iterator[Finding]:
    server = server_of(config)
    guarded = {
        "hub.listen": bool(config.hub and config.hub.tokens),
        "server.listen": bool(server and server.tokens),
    }
    for where, (host, _) in found.items():
        if guarded[where] or is_local(host):
            yield ok("whoever may not use it does not reach it, or needs a token", where)
            continue
        table = where.partition(".")[0]
        what = f"the {table}'s API is open to everybody who reaches {host or 'this machine'}"
        yield warning(what, where, f"{_TOKEN}; see [[{table}.tokens]]")


def _handed_over(client: ClientSettings) -> Iterator[tuple[str, Address]]:
    for number, address in enumerate(client.sockets):
        if not address.startswith("/"):
            yield f"client.sockets[{number}]", host_and_port(address)


def _equal(found: list[tuple[str, Address]]) -> Iterator[Finding]:
    for (one, (host, port)), (other, (other_host, other_port)) in combinations(found, 2):
        hosts = {host, other_host}
        if port and port == other_port and (len(hosts) == 1 or hosts & EVERY_ADDRESS):
            yield problem(f"the same address as {one}", other, "give each a port of its own")


def _health(client: ClientSettings) -> Iterator[Finding]:
    command = client.health_command[:1]
    if command and not which(command[0]):
        step = "write its whole path, or put it on the PATH"
        yield problem(f"there is no program {command[0]!r}", "client.health_command", step)
    port = urlsplit(client.health_url).port if client.health_url else None
    if port in {port for _, (_, port) in _handed_over(client)} and not command:
        what = "asks a port that old and new program share: the old one may answer for the new one"
        step = "add a health_command, which is told the new one's DIRECTCD_VERSION"
        yield warning(what, "client.health_url", step)
