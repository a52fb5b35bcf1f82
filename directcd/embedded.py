"""Everything of one directcd.toml in one process: the hub, the server and the client."""

import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from cd4sources.settings import ClientSettings, ServerSettings, TokenSettings
from cd4sources.tokens import digest, new_token
from directcd import parts
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.life import Part
from directcd.listening import url_of
from hub.settings import HubSettings, HubTokenSettings
from hub.settings import ServerSettings as ShownServer

NOTHING: Mapping[str, socket.socket] = MappingProxyType({})

OWN_SERVER = "local"
"""What the hub calls it; the server's `name` may hold what no path can."""


def listening_parts(config: Config) -> list[str]:
    """The names of the parts that listen."""
    is_there = {"hub": config.hub, "server": config.server or config.target}
    return [name for name, there in is_there.items() if there]


def parts_of(config: Config, passed: Mapping[str, socket.socket] = NOTHING) -> list[Part]:
    """
    The parts the configuration speaks of, told about each other.

    Args:
        config: It.
        passed: Sockets that parts serve instead of listening themselves, by the part's name.

    Raises:
        ConfigError: it speaks of none.
    """
    token = new_token() if config.hub and config.hub.tokens else ""
    to_server, to_client = _token_of(config.server, token), _token_of(config.client, token)
    config = _introduced(config, token)
    found: list[Part] = []
    if config.hub:
        found.append(parts.hub(config, passed.get("hub")))
    if config.server or config.target:
        found.append(parts.server(config, passed.get("server"), hub_token=to_server))
    if config.client:
        found.append(parts.client(config, hub_token=to_client))
    if not found:
        raise ConfigError("nothing to run: add [hub], [[target]] or [client] to directcd.toml")
    return found


def _token_of(table: ServerSettings | ClientSettings | None, token: str) -> str:
    """The token of this process, unless a part was told of a hub: that may be another's."""
    return "" if table and table.hub else token


def _introduced(config: Config, token: str) -> Config:
    # In one process the hub needs no address written twice.
    if config.hub is None:
        return config
    server = config.server or (ServerSettings() if config.target else None)
    url = url_of(config.hub.listen)
    update: dict[str, Any] = {
        name: table.model_copy(update={"hub": url})
        for name, table in (("server", server), ("client", config.client))
        if table is not None and not table.hub
    }
    hub = _told_of(config.hub, token)
    if server and not hub.servers:
        server, hub = _shown(update.get("server", server), hub)
        update["server"] = server
    return config.model_copy(update=update | {"hub": hub})


def _shown(server: ServerSettings, hub: HubSettings) -> tuple[ServerSettings, HubSettings]:
    """A server that lets the hub of its own process see its builds, and a hub that knows it."""
    token = new_token() if server.tokens else ""
    if token:
        ours = TokenSettings(name="hub of this process", sha256=digest(token), scopes=("read",))
        server = server.model_copy(update={"tokens": (*server.tokens, ours)})
    known = ShownServer(url=url_of(server.listen), token=SecretStr(token))
    return server, hub.model_copy(update={"servers": {OWN_SERVER: known}})


def _told_of(hub: HubSettings, token: str) -> HubSettings:
    """The hub, to which the parts of its own process need no token that a person has made."""
    if not token:
        return hub
    ours = HubTokenSettings(
        name="this process", sha256=digest(token), scopes=("subscribe", "report")
    )
    return hub.model_copy(update={"tokens": (*hub.tokens, ours)})
