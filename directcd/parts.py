"""
The three parts a directcd process can be made of: each from configuration to a running task.

Building a part validates what needs other packages' knowledge (providers, targets); running it is
left to `serving`.
"""

import logging
import socket
import textwrap
from typing import TYPE_CHECKING

from cd4sources.targets import Target
from directcd.config import Config
from directcd.errors import ConfigError
from directcd.hubs import redis_hub
from directcd.life import Life, Part
from directcd.serving import serve, tell_version
from directcd.standalone import hosted
from hub.settings import HubSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from cd4sources.client import Client
    from cd4sources.health import Health

STANDING_CHARACTERS = 200  # what a server offers is one line of `systemctl status`

logger = logging.getLogger(__name__)


def hub(config: Config, passed: socket.socket | None = None) -> Part:
    """
    The hub.

    Args:
        config: Its settings.
        passed: A socket that it serves instead of listening itself.

    Raises:
        UnknownProvider: a source names a provider that no adapter speaks.
    """
    from hub.app import create_app

    settings = config.hub or HubSettings()
    app = create_app(settings)
    tell_version(app)

    async def run(life: Life) -> None:
        life.standing = lambda: f"hub: {app.state.counts.summary}"
        for name, source in settings.sources.items():
            path = f"/webhooks/{source.provider}/{name}"
            logger.info("webhook endpoint", extra={"url": f"{settings.public_url}{path}"})
        if not settings.sources:
            logger.warning("no source configured, every webhook is refused: add [hub.sources.NAME]")
        await serve(app, passed or settings.listen, "hub", life)

    return run


def server(config: Config, passed: socket.socket | None = None, *, hub_token: str = "") -> Part:
    """
    The cd4sources server.

    Args:
        config: Its settings and targets.
        passed: A socket that it serves instead of listening itself.
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

    async def run(life: Life) -> None:
        life.standing = lambda: f"server: {_offered(app)}"
        await serve(app, passed or settings.listen, "server", life)

    return run


def _offered(app: "FastAPI") -> str:
    offers = (
        f"{name} {one.offer.current.version if one.offer.current else 'not built yet'}"
        for name, one in app.state.followers.items()
    )
    offered = textwrap.shorten(", ".join(offers), STANDING_CHARACTERS, placeholder=" …")
    health: Health | None = getattr(app.state, "health", None)
    is_deaf = health and health.hearing and not health.hearing.is_heard
    return "; ".join([offered or "starting", *(["waiting for the hub"] if is_deaf else [])])


def client(config: Config, *, hub_token: str = "") -> Part:
    """
    The cd4sources client, beside other parts.

    Args and errors are those of `make_client`.
    """
    return hosted(make_client(config, hub_token=hub_token))


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
