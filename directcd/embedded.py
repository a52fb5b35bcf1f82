"""Everything of one directcd.toml in one process: the hub, the server and the client."""

from cd4sources.settings import ServerSettings
from directcd import parts
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.process import Part

EVERY_ADDRESS = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 - recognised, not listened on


def parts_of(config: Config) -> list[Part]:
    """
    The parts the configuration speaks of, told about each other.

    Raises:
        ConfigError: it speaks of none.
    """
    config = _introduced(config)
    found: list[Part] = []
    if config.hub:
        found.append(parts.hub(config))
    if config.server or config.target:
        found.append(parts.server(config))
    if config.client:
        found.append(parts.client(config))
    if not found:
        raise ConfigError("nothing to run: add [hub], [[target]] or [client] to directcd.toml")
    return found


def _introduced(config: Config) -> Config:
    # In one process the hub needs no address written twice.
    if config.hub is None:
        return config
    server = config.server or (ServerSettings() if config.target else None)
    host, _, port = config.hub.listen.rpartition(":")
    url = f"http://{'127.0.0.1' if host in EVERY_ADDRESS else host}:{port}"
    update = {
        name: table.model_copy(update={"hub": url})
        for name, table in (("server", server), ("client", config.client))
        if table is not None and not table.hub
    }
    return config.model_copy(update=update)
