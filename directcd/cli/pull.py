"""`directcd pull`, which is also `directcd --repo …`."""

import sys
from typing import Any

import click

from directcd.pull.errors import BadArguments
from directcd.pull.words import PROGRAM, Spellings, arranged

HELP = {"help_option_names": ["-h", "--help"]}  # also where the group is not asked

SECTIONS = {
    "What is pulled": ("repos", "replacements", "branch", "user", "password_file", "ssh_key_file"),
    "How it is built": ("output", "build", "artifact", "in_place"),
    "How it is run": ("stop_signal", "stop_timeout", "settle", "health_url", "health_cmd",
                      "health_timeout", "overlap", "sockets"),
    "When and where": ("interval", "hub", "hub_token_file", "working_dir", "once", "dry_run"),
    "What is told": ("status_file", "as_json", "verbose"),
}  # fmt: skip


class PullCommand(click.Command):
    """Takes the prototype's spellings, and shows its options in groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words as they were meant."""
        try:
            return super().parse_args(ctx, arranged(args, self._spellings(ctx)))
        except click.NoSuchOption as error:
            told = f"No such option {error.option_name}; {PROGRAM}."
            raise click.NoSuchOption(error.option_name, told, error.possibilities, ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list a group."""
        records = {one.name: one.get_help_record(ctx) for one in self.params}
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([found for name in names if (found := records[name])])

    def _spellings(self, ctx: click.Context) -> Spellings:
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        valued = (name for one in options if not one.is_flag for name in one.opts)
        flags = (name for one in options if one.is_flag for name in one.opts)
        return Spellings(frozenset(valued), frozenset(flags))


@click.command(name="pull", cls=PullCommand, context_settings=HELP)
@click.option("-r", "--repo", "repos", multiple=True, metavar="URL[=URL]",
              help="The first is built; each further one is pulled and watched beside it. With "
              "A=B, B is pulled and stands in for A, a module path or a repository. A directory "
              "is a repository, too.")  # fmt: skip
@click.option("--replace", "replacements", multiple=True, metavar="A=B",
              help="The same as --repo A=B.")  # fmt: skip
@click.option("--branch", metavar="NAME",
              help="Of the repository that is built. Default: what its HEAD names.")  # fmt: skip
@click.option("--user", metavar="NAME", help="Whose password that is. Default git.")
@click.option("--password-file", metavar="FILE",
              help="Password or token for the built repository and the others at the same place, "
              "read anew each time. Better than https://user:password@host, which everyone on "
              "this machine can see for a moment.")  # fmt: skip
@click.option("--ssh-key-file", metavar="FILE",
              help="The same for ssh: a key without a passphrase.")  # fmt: skip
@click.option("-o", "--output", metavar="NAME",
              help="The program's name. Default: the repository's.")  # fmt: skip
@click.option("--build", metavar="WORDS",
              help="What build.sh gets to build. Default `build`.")  # fmt: skip
@click.option("--artifact", metavar="WORDS",
              help="What build.sh gets to name the program. Default `artifact`.")  # fmt: skip
@click.option("--in-place", is_flag=True,
              help="Edit go.mod itself and put it back, instead of a copy.")  # fmt: skip
@click.option("--stop-signal", metavar="NAME",
              help="What asks the old program to end. Default TERM.")  # fmt: skip
@click.option("--stop-timeout", metavar="SECONDS",
              help="From that to SIGKILL. Default 10.")  # fmt: skip
@click.option("--settle", metavar="SECONDS",
              help="That a new program must live before it counts. Default 3.")  # fmt: skip
@click.option("--health-url", metavar="URL", help="Answers 2xx when the new program is ready.")
@click.option("--health-cmd", metavar="COMMAND", help="Exits with 0 when it is.")
@click.option("--health-timeout", metavar="SECONDS",
              help="For that, after --settle. Default 30.")  # fmt: skip
@click.option("--overlap", metavar="auto|yes|no",
              help="Whether the new program starts beside the old one. Default auto: as far as it "
              "can.")  # fmt: skip
@click.option("--socket", "sockets", multiple=True, metavar="ADDRESS",
              help="host:port or /path to listen on for the program: no swap loses a "
              "connection.")  # fmt: skip
@click.option("-t", "--interval", metavar="SECONDS", help="Between looks. Default 10.")
@click.option("--hub", metavar="URL", help="Says when to look: at once after a push.")
@click.option("--hub-token-file", metavar="FILE",
              help="Holds the bearer token for the hub, read anew each time.")  # fmt: skip
@click.option("-w", "--working-dir", metavar="DIR",
              help="For everything that is kept. Default .directcd/NAME.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look, build and swap once, and end.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--status-file", metavar="FILE", help="Kept up to date as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Tell what happens as JSON, line by line.")
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS]")
def command(**given: Any) -> None:
    """
    Pull, build and run a program, and do it again at every push.

    directcd --repo https://git.example.com/acme/shop.git -o shop

    The running program is replaced when the new one is built and healthy, and stays when that
    fails. What stands behind `--` are its arguments. Short options may be written `-o=NAME`, and
    an option with nothing behind its `=` counts as not given. No directcd.toml is read, and no
    DIRECTCD_ variable.

    Exits with 0, or 1 failed, 2 wrong usage, and with --once also 3 nothing new, 5 build failed
    (the old program still runs), 6 rolled back, 7 out of reach.
    """
    from directcd.pull.arguments import Options, understood

    try:
        pull = understood(Options(**given))
    except FileNotFoundError:
        raise BadArguments("the current directory is gone; cd to another one") from None
    from directcd.pull.running import run

    sys.exit(run(pull))
