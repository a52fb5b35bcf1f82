"""Walking through a hash in Redis, in steps that keep nobody else waiting."""

from collections.abc import AsyncIterator

from hub.log.redis_node import RedisNode

SCAN_COUNT = 1_000  # fields a step: a millisecond or so in which Redis serves nobody else


async def scanned(node: RedisNode, key: str, prefix: str) -> AsyncIterator[dict[bytes, bytes]]:
    """
    The fields of a hash whose names begin so, a step at a time; one may come twice.

    Raises:
        LogUnavailable: no answer.
    """
    step, pattern = b"0", literal(prefix) + "*"
    while True:
        step, page = await node.execute("HSCAN", key, step, "MATCH", pattern, "COUNT", SCAN_COUNT)
        yield dict(zip(page[::2], page[1::2], strict=True))
        if step == b"0":
            return


def literal(text: str) -> str:
    """A pattern that matches a text alone."""
    # https://redis.io/docs/latest/commands/keys/: what stands for itself in a pattern.
    return "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in text)
