"""`directcd hub`."""

from pathlib import Path

import click

from directcd.cli import options


@click.command(name="hub")
@options.config_file
@options.verbose
def command(config_file: Path, *, verbose: bool) -> None:
    """Receive webhooks, remember them and tell the servers that follow."""
    import uvloop

    from directcd import config, logs, parts, serving

    logs.set_up(verbose=verbose)
    # The hub starts no processes, which uvloop would do in its own way, and has the most to gain.
    serving.run(parts.hub(config.load(config_file)), loop_factory=uvloop.new_event_loop)
