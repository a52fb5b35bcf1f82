"""A real log that cannot always tell which push a trace began with, as one that has just gone."""

from collections.abc import Collection

from hub.log.base import LogUnavailable
from hub.log.sqlite import SqliteLog
from hub.log.values import Origin


class ForgetfulLog(SqliteLog):
    """Stores everything; `is_away` makes it fail when it is asked for origins."""

    is_away = True

    async def origins(self, trace_ids: Collection[str]) -> dict[str, Origin]:
        """The pushes that traces began with, unless it is away."""
        if self.is_away:
            raise LogUnavailable("away")
        return await super().origins(trace_ids)
