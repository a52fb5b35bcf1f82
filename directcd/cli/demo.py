"""`directcd demo`."""

import sys

import click

from directcd.exits import Exit


@click.command(name="demo")
@click.option("--json", "as_json", is_flag=True, help="Print the two timelines as JSON.")
def command(*, as_json: bool) -> None:
    """
    See it work: a real push, a real build, a running program.

    Needs git and nothing else. Exits with 0 only if the second version really runs.
    """
    from directcd.demo import story

    sys.exit(Exit.OK if story.tell(as_json=as_json) else Exit.FAILED)
