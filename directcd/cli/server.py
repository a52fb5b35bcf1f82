"""`directcd server`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.cli import options

if TYPE_CHECKING:
    from directcd.logs import Format


@click.command(name="server")
@options.config_file
@options.logging
def command(config_file: Path, *, verbose: bool, log_format: "Format") -> None:
    """Pull and build the targets, and offer their versions."""
    import os

    from directcd import config, logs, parts, process
    from directcd.systemd.activation import passed_in, served_there

    logs.set_up(verbose=verbose, log_format=log_format)
    passed = passed_in(os.environ, ["server"])
    settings = served_there(config.load(config_file), passed)
    process.run(parts.server(settings, passed.get("server")))
