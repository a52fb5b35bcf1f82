"""Where the log is now, by the Sentinels or a Cluster's nodes: who answered last is asked first."""

from hub.log.base import LogError, LogUnavailable, LogUnfit
from hub.log.redis_address import Endpoint, RedisAddress
from hub.log.redis_connection import RedisConnection, RedisRefusal, connect, introduction, shown
from hub.log.redis_judging import judged
from hub.log.redis_keys import Keys


class Locator:
    """Asks; whoever does not answer is asked last from then on."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._endpoints = list(address.endpoints)

    async def locate(self) -> Endpoint:
        """
        Where the log is now.

        Raises:
            LogUnavailable: none of the endpoints answers, or none knows.
            LogUnfit: none knows, and at one of them a person must change something.
        """
        if self._address.kind == "single":
            return self._endpoints[0]
        failures: list[LogError] = []
        for endpoint in tuple(self._endpoints):
            try:
                return await self._asked(endpoint)
            except RedisRefusal as error:
                failures.append(judged(error, endpoint, self._address))
            except LogUnavailable as error:
                failures.append(LogUnavailable(f"{shown(endpoint)}: {error}"))
            self._endpoints.remove(endpoint)
            self._endpoints.append(endpoint)
        unfit = next((one for one in failures if isinstance(one, LogUnfit)), None)
        raise unfit or LogUnavailable("; ".join(map(str, failures)))

    async def _asked(self, endpoint: Endpoint) -> Endpoint:
        address = self._address
        of_sentinels = address.kind == "sentinel"
        credentials = address.sentinel_credentials if of_sentinels else address.credentials
        connection = await connect(endpoint, address.tls)
        try:
            for command in introduction(credentials, 0):
                await connection.send(*command)
            if of_sentinels:
                return await _ask_sentinel(address, connection)
            return await _ask_cluster(address, endpoint, connection)
        finally:
            connection.abort("asked")


async def _ask_sentinel(address: RedisAddress, sentinel: RedisConnection) -> Endpoint:
    # https://redis.io/docs/latest/develop/reference/sentinel-clients/
    found = await sentinel.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.master)
    if found is None:
        raise LogUnfit(f"the Sentinels at {address} know no master of that name")
    host, port = found
    return host.decode(), int(port)


async def _ask_cluster(address: RedisAddress, asked: Endpoint, node: RedisConnection) -> Endpoint:
    # https://redis.io/docs/latest/commands/cluster-slots/
    slot = await node.send("CLUSTER", "KEYSLOT", Keys(address.prefix)("log"))
    for first, last, master, *_ in await node.send("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return (master[0] or asked[0].encode()).decode(), int(master[1])
    raise LogUnavailable(f"no server has slot {slot}")
