"""
The three parts a directcd process can be made of: each from configuration to a running task.

Building a part validates what needs other packages' knowledge (providers, targets); running it is
left to `serving`.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from cd4sources.targets import Target
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.hubs import redis_hub
from directcd.process import Part
from directcd.serving import serve, tell_version
from hub.settings import HubSettings

if TYPE_CHECKING:
    from cd4sources.client import Client

logger = logging.getLogger(__name__)


def hub(config: Config) -> Part:
    """
    The hub.

    Raises:
        UnknownProvider: a source names a provider that no adapter speaks.
    """
    from hub.app import create_app

    settings = config.hub or HubSettings()
    app = create_app(settings)
    tell_version(app)

    async def run(stopping: asyncio.Event) -> None:
        for name, source in settings.sources.items():
            path = f"/webhooks/{source.provider}/{name}"
            logger.info("webhook endpoint", extra={"url": f"{settings.public_url}{path}"})
        if not settings.sources:
            logger.warning("no source configured, every webhook is refused: add [hub.sources.NAME]")
        await serve(app, settings.listen, "hub", stopping)

    return run


def server(config: Config, *, hub_token: str = "") -> Part:
    """
    The cd4sources server.

    Args:
        config: Its settings and targets.
        hub_token: For the hub of this process.

    Raises:
        ConfigError: there is nothing to deliver.
        TargetError: a target contradicts itself.
        KeyUnusable: the signing key cannot be read.
    """
    from cd4sources.server import create_app
    from cd4sources.settings import ServerSettings

    settings = config.server or ServerSettings()
    targets = [Target.from_settings(target) for target in config.target]
    if not targets:
        raise ConfigError("no [[target]]: say what the server should build")
    hub = redis_hub(settings.hub, settings.name, targets)
    app = create_app(settings, targets, hub=hub, hub_token=hub_token)
    tell_version(app)

    async def run(stopping: asyncio.Event) -> None:
        await serve(app, settings.listen, "server", stopping)

    return run


def client(config: Config, *, hub_token: str = "") -> Part:
    """
    The cd4sources client, beside other parts.

    Args and errors are those of `make_client`.
    """
    return make_client(config, hub_token=hub_token).run


def make_client(config: Config, *, hub_token: str = "") -> "Client":
    """
    The cd4sources client.

    Args:
        config: Its settings, and the targets it may mean.
        hub_token: For the hub of this process.

    Raises:
        ConfigError: it is not clear which target to run.
        TargetError: the target contradicts itself.
    """
    from cd4sources.client import Client
    from cd4sources.settings import ClientSettings

    settings = config.client or ClientSettings()
    target = client_target(config, settings.target)
    urls = [repository.url for repository in target.repositories]
    redis = redis_hub(settings.hub)
    post = redis.report if redis else None
    ref = target.repositories[0].ref
    return Client(settings, urls, ref=ref, target=target.name, post=post, hub_token=hub_token)


def client_target(config: Config, name: str) -> Target:
    """The target a client runs: the one it names, or the only one there is."""
    named = [target for target in config.target if target.name == name or not name]
    if len(named) == 1:
        return Target.from_settings(named[0])
    names = ", ".join(target.name for target in config.target) or "none"
    raise ConfigError(f"[client] target = {name!r}: name one [[target]] of this file ({names})")
