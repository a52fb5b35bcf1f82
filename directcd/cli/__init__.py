"""
The command line: one file a command, each imported only when it is called.

Human text goes to stderr, data to stdout. Exit codes: 0 ok, 1 failed, 2 usage or configuration,
3 nothing new (`watch`, `pull --once`) or not known (`trace`), 4 wrong signature (`explain`) or not
allowed, 5 build failed and 6 rolled back (both `pull --once`), 7 out of reach.
"""

import importlib

import click

import directcd

COMMANDS = {
    "builds": "See what a server builds and has built, cancel a build, or build again.",
    "client": "Watch, download and run one program, replacing it when a new version is offered.",
    "config": "Check directcd.toml without starting anything, or print its schema.",
    "deliveries": "See what forges have delivered and what became of it; deliver it again.",
    "demo": "See it work: a real push, a real build, a running program.",
    "doctor": "Find what is wrong with a configuration, its machine, and what it reaches.",
    "download": "Download a version of a target.",
    "explain": "Say what a delivery means and whom it reaches, also of a recorded one, offline.",
    "health": "Tell whether a hub or a server is ready.",
    "hook": "Register webhooks at the forge, prove that they work, mend and remove them.",
    "hub": "Receive webhooks, remember them and tell the servers that follow.",
    "init": "Write a directcd.toml for the repository you stand in.",
    "key": "Make keys that sign artifacts.",
    "notify": "Tell the servers that follow a repository to look at it now.",
    "pull": "Pull, build and run one program in one process: the same as `directcd --repo …`.",
    "server": "Pull and build the targets, and offer their versions.",
    "subscriptions": "List, add, pause or remove who is told of pushes.",
    "status": "Show every target: what runs where, and what is wrong.",
    "token": "Make bearer tokens for the API of the hub or of a server.",
    "trace": "Show the way of a push, from its delivery to the running program.",
    "versions": "List what a server keeps of a target, pin a version, or go back.",
    "up": "Run the hub, the server and the client of one directcd.toml in one process.",
    "watch": "Wait for another version of a target, and print it.",
}


_OF_ITS_OWN = ("--version", "-h", "--help")


class LazyGroup(click.Group):
    """Imports a command's module when it is called, so that `--version` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"directcd.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read an option that is not the group's own as one of the command, or of `pull`."""
        args = _behind_the_command(args)
        if args and args[0].startswith("-") and args[0] not in _OF_ITS_OWN:
            args = ["pull", *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, without showing what may be a password."""
        if "://" in args[0] or "@" in args[0]:
            ctx.fail("a repository is named by --repo URL")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table above, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _behind_the_command(args: list[str]) -> list[str]:
    """`--log-format json up` as `up --log-format json`: some put it before the command."""
    match args:
        case ["--log-format", how, name, *rest] if name in COMMANDS:
            return [name, "--log-format", how, *rest]
        case [option, name, *rest] if option.startswith("--log-format=") and name in COMMANDS:
            return [name, option, *rest]
    return args


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(directcd.__version__, package_name="directcd", message="directcd %(version)s")
def command() -> None:
    """
    Continuous delivery straight from source repositories to running processes.

    directcd --repo https://git.example.com/acme/shop.git -o shop

    pulls, builds and runs that program, and again at every push: `directcd pull --help`.
    """


def main() -> None:
    """Run the command line and turn the errors a person can mend into one sentence."""
    from directcd.failures import explained
    from directcd.pull.hiding import hide_secrets
    from directcd.streams import open_closed

    open_closed()
    hide_secrets()
    with explained():
        command.main(standalone_mode=True)
