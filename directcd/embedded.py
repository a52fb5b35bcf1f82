"""Everything of one directcd.toml in one process: the hub, the server and the client."""

from typing import Any

from cd4sources.settings import ClientSettings, ServerSettings
from cd4sources.tokens import digest, new_token
from directcd import parts
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.process import Part
from hub.settings import HubSettings, HubTokenSettings

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 - recognised, not listened on


def parts_of(config: Config) -> list[Part]:
    """
    The parts the configuration speaks of, told about each other.

    Raises:
        ConfigError: it speaks of none.
    """
    token = new_token() if config.hub and config.hub.tokens else ""
    to_server, to_client = _token_of(config.server, token), _token_of(config.client, token)
    config = _introduced(config, token)
    found: list[Part] = []
    if config.hub:
        found.append(parts.hub(config))
    if config.server or config.target:
        found.append(parts.server(config, hub_token=to_server))
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
    host, _, port = config.hub.listen.rpartition(":")
    url = f"http://{'127.0.0.1' if host in EVERY_ADDRESS else host}:{port}"
    update: dict[str, Any] = {
        name: table.model_copy(update={"hub": url})
        for name, table in (("server", server), ("client", config.client))
        if table is not None and not table.hub
    }
    return config.model_copy(update=update | {"hub": _told_of(config.hub, token)})


def _told_of(hub: HubSettings, token: str) -> HubSettings:
    """The hub, to which the parts of its own process need no token that a person has made."""
    if not token:
        return hub
    ours = HubTokenSettings(
        name="this process", sha256=digest(token), scopes=("subscribe", "report")
    )
    return hub.model_copy(update={"tokens": (*hub.tokens, ours)})
