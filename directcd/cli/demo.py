"""`directcd demo`."""

import signal
import sys

import click


@click.command(name="demo")
@click.option("--json", "as_json", is_flag=True, help="Print the two timelines as JSON.")
def command(*, as_json: bool) -> None:
    """
    See it work: a real push, a real build, a running program.

    Needs git and nothing else. Exits with 0 only if the second version really runs.
    """
    from directcd.demo import story

    # As Ctrl-C does: the stack unwinds, and the world cleans up after itself.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    sys.exit(0 if story.tell(as_json=as_json) else 1)
