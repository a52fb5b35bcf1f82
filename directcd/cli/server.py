"""`directcd server`."""

from pathlib import Path

import click

from directcd.cli import options


@click.command(name="server")
@options.config_file
@options.verbose
def command(config_file: Path, *, verbose: bool) -> None:
    """Pull and build the targets, and offer their versions."""
    from directcd import config, logs, parts, process

    logs.set_up(verbose=verbose)
    process.run(parts.server(config.load(config_file)))
