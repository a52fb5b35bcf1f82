"""The hubs' Redis: is it there, may it be used, and will it keep what it is given."""

from collections.abc import Iterator

from directcd.config import Config
from directcd.doctor.findings import Finding, ok, problem, warning
from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_address import parse_redis_url
from hub.log.redis_advice import advice
from hub.log.redis_node import RedisNode


def named(config: Config) -> Iterator[tuple[str, str]]:
    """Every Redis of a configuration, with its key; each once."""
    tables = {
        "hub.redis": config.hub.redis.get_secret_value() if config.hub else "",
        "server.hub": config.server.hub if config.server else "",
        "client.hub": config.client.hub if config.client else "",
    }
    seen: set[str] = set()
    for where, url in tables.items():
        if url.startswith("redis") and url not in seen:
            seen.add(url)
            yield where, url


async def check(where: str, url: str) -> list[Finding]:
    """One Redis, behind Sentinel or in a Cluster as well."""
    try:
        node = RedisNode(parse_redis_url(url))
    except ValueError as error:
        return [problem(str(error), where, "correct the address")]
    try:
        await node.connect()
        info = await node.info()
    except LogUnfit as error:
        return [problem(str(error), where, "see docs/how-to/share-redis.md")]
    except LogUnavailable as error:
        return [problem(str(error), where, "see that it runs, and that the address is right")]
    finally:
        node.disconnect("looked at")
    return [ok(f"Redis {info['redis_version']} at {node.address}", where), *_advised(info, where)]


def _advised(info: dict[str, str], where: str) -> Iterator[Finding]:
    for one in advice(info):
        what, _, step = one.partition(": ")
        yield warning(f"Redis: {what}", where, f"{step} (docs/how-to/share-redis.md)")
