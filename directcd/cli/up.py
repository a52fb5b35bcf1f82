"""`directcd up`."""

from pathlib import Path

import click

from directcd.cli import options


@click.command(name="up")
@options.config_file
@options.verbose
def command(config_file: Path, *, verbose: bool) -> None:
    """Run the hub, the server and the client of one directcd.toml in one process."""
    from directcd import config, embedded, logs, process

    logs.set_up(verbose=verbose)
    process.run(*embedded.parts_of(config.load(config_file)))
