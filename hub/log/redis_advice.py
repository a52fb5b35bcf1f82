"""
Settings of a Redis that works now, and will not keep what it was given.

https://redis.io/docs/latest/commands/info/ says what the fields mean.
"""

from collections.abc import Iterator, Mapping


def advice(info: Mapping[str, str]) -> Iterator[str]:
    """What a person should change, by the fields of INFO."""
    if info.get("aof_enabled") == "0":
        yield "it keeps pushes in memory only until its next snapshot: set appendonly yes"
    if info.get("maxmemory", "0") != "0" and info.get("maxmemory_policy") != "noeviction":
        yield "it throws the log away when memory is short: set maxmemory-policy noeviction"
    # The field is there only when min-replicas-to-write is set.
    if info.get("connected_slaves", "0") != "0" and "min_slaves_good_slaves" not in info:
        yield "cut off, it takes what its successor never sees: set min-replicas-to-write 1"
