"""Whom a directcd.toml means by its hub and its server: where they are asked, with which token."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cd4sources.settings import ClientSettings, ServerSettings
from directcd.config import Config
from directcd.listening import url_of

HUB = "http://127.0.0.1:8080"
SERVER = "http://127.0.0.1:8081"


@dataclass(frozen=True)
class Asked:
    """Where somebody is asked, and the file with our token there, by the setting that names it."""

    address: str
    token_file: Path | None = None
    setting: str = ""


def server_of(config: Config) -> ServerSettings | None:
    """
    The settings of the server that runs from this file, if one does.

    A client's file has targets as well, to say what its program is made of.
    """
    if config.server or not config.target:
        return config.server
    settings = ServerSettings()
    is_elsewhere = config.client and url_of(settings.listen) not in config.client.servers
    return None if is_elsewhere else settings


def hub_asked(config: Config) -> Asked:
    """The hub of this file, or the one that its server or client names; never another's token."""
    named = [(setting, table.hub.rstrip("/"), table) for setting, table in _tables(config)]
    urls = [url for _, url, _ in named if url.startswith("http")]
    address = url_of(config.hub.listen) if config.hub else next(iter(urls), HUB)
    for setting, url, table in named:
        is_it = url == address or (config.hub and not url)
        if is_it and table.hub_token_file:
            return Asked(address, table.hub_token_file, f"{setting}.hub_token_file")
    return Asked(address)


def server_asked(config: Config) -> Asked:
    """The server of this file, or the first that its client watches; never another's token."""
    server, client = server_of(config), config.client
    watched = client.servers if client else ()
    address = url_of(server.listen) if server else next(iter(watched), SERVER)
    if client and address in watched:
        return Asked(address, client.token_file, "client.token_file")
    return Asked(address)


def is_here(url: str) -> bool:
    """Whether an address is this machine's own, by itself and not by what a name resolves to."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _tables(config: Config) -> Iterator[tuple[str, ServerSettings | ClientSettings]]:
    if config.server:
        yield "server", config.server
    if config.client:
        yield "client", config.client
