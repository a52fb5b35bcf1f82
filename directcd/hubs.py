"""Ways to a hub that cd4sources does not know itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cd4sources.targets import Target
from directcd.errors import ConfigError

if TYPE_CHECKING:
    from directcd.redis_hub import RedisHub


def redis_hub(url: str, name: str = "", targets: Sequence[Target] = ()) -> "RedisHub | None":
    """
    A hub reached through its Redis; None for another address, or none.

    Args:
        url: The settings' `hub`.
        name: Of the subscription; with `targets`.
        targets: Whose repositories are followed. Default: reports only.

    Raises:
        ConfigError: The address is malformed.
    """
    if not url.startswith("redis"):
        return None
    from directcd.redis_hub import RedisHub, Subscriber
    from hub.wants import make_want

    followed = [one for target in targets for one in target.repositories]
    try:
        wants = tuple(make_want(one.url, one.ref) for one in followed)
        return RedisHub(url, Subscriber(name, wants) if wants else None)
    except ValueError as error:
        raise ConfigError(f"hub, in [server] or [client]: {error}") from error
