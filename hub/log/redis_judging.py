"""What a refusal of Redis means: it passes, or a person must change something, and what."""

from hub.log.base import LogUnavailable, LogUnfit
from hub.log.redis_address import Endpoint, RedisAddress
from hub.log.redis_connection import RedisRefusal, shown

NEEDS = (
    "the hub's user needs ~{prefix}:{{log}}:* &{prefix}:{{log}}:* +@read +@write +@pubsub "
    "+@scripting +@connection +info +role +time +cluster|slots"
)
CREDENTIALS = 'give user and password in redis = "redis://user:password@…"'
STEPS = {
    "noauth": CREDENTIALS,
    "wrongpass": CREDENTIALS,
    "db index is out of range": "write a database that the server has behind the host",
    "unknown command 'sentinel'": "this is no Sentinel: write redis:// in place of redis+sentinel://",
    "cluster support disabled": "this is no Cluster: write redis:// in place of redis+cluster://",
}
"""What a refusal says, and what is to be done about it."""


def judged(
    error: RedisRefusal, endpoint: Endpoint, address: RedisAddress
) -> LogUnavailable | LogUnfit:
    """The refusal with its server and the next step: LogUnfit when waiting will not mend it."""
    said = f"Redis at {shown(endpoint)}: {str(error).rstrip('.')}"
    # A script that may not do something fails with a code that says nothing.
    if error.code == "NOPERM" or "ACL failure" in said:
        return LogUnfit(f"{said}; {NEEDS.format(prefix=address.prefix)}")
    step = next((step for words, step in STEPS.items() if words in said.lower()), "")
    return LogUnfit(f"{said}; {step}") if step else LogUnavailable(said)
