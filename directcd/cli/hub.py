"""`directcd hub`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options

if TYPE_CHECKING:
    from directcd.logs import Format


@click.command(name="hub")
@options.config_file
@click.option("--listen", help="host:port for webhooks and API, instead of hub.listen.")
@click.option("--data", help="Directory of the log or the spool, instead of hub.data.")
@click.option("--redis", help="URL of the shared log, instead of hub.redis; without a password.")
@options.logging
def command(
    config_file: Path,
    listen: str | None,
    data: str | None,
    redis: str | None,
    *,
    verbose: bool,
    log_format: "Format",
) -> None:
    """Receive webhooks, remember them and tell the servers that follow."""
    import os

    import uvloop

    from directcd import config, logs, parts, process
    from directcd.systemd.activation import passed_in, served_there

    logs.set_up(verbose=verbose, log_format=log_format)
    _refuse_password(redis or "")
    flags = {"listen": listen, "data": data, "redis": redis}
    given = {name: value for name, value in flags.items() if value is not None}
    passed = passed_in(os.environ, ["hub"])
    settings = served_there(config.load(config_file, {"hub": given} if given else {}), passed)
    # The hub starts no processes, which uvloop would do in its own way, and has the most to gain.
    process.run(parts.hub(settings, passed.get("hub")), loop_factory=uvloop.new_event_loop)


def _refuse_password(redis: str) -> None:
    place, _, query = redis.partition("://")[2].partition("?")
    if ":" in place.rpartition("@")[0] or "password=" in query:
        raise click.UsageError(
            "--redis holds a password, which every user of this machine could read: "
            "set DIRECTCD_HUB__REDIS, or redis in [hub], instead"
        )
