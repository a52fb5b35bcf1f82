"""`directcd init`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from directcd.terminal import line

if TYPE_CHECKING:
    from directcd.init.looking import Seen


@click.command(name="init")
@click.option(
    "--provider",
    default="",
    metavar="NAME",
    help="The forge: github, gitea, forgejo, gogs, gitlab, bitbucket, … Default: by its host.",
)
@click.option("--force", is_flag=True, help="Write over a directcd.toml that is there.")
def command(*, provider: str, force: bool) -> None:
    """
    Write a directcd.toml that delivers the repository you stand in.

    The remote and ref are those that the current branch follows. A webhook's secret is made and
    written to .directcd/webhook-secret, which git ignores with the rest of that directory.
    """
    from adapters.registry import find
    from directcd.init import files, looking, writing

    here = Path.cwd()
    seen = looking.look(here)
    provider = _provider(seen, provider)
    if provider:
        find(provider)
    files.write(here, writing.document(seen, provider), with_secret=bool(provider), force=force)
    for text in _said(seen, provider):
        click.echo(text, err=True)


def _provider(seen: "Seen", named: str) -> str:
    from directcd.errors import ConfigError
    from directcd.init.forges import EVENTS, guessed

    provider = named or guessed(seen.key)
    if seen.key and not provider:
        host = seen.key.partition("/")[0]
        raise ConfigError(
            f"nothing tells which forge {host} is: say --provider NAME ({', '.join(EVENTS)})"
        )
    if provider in EVENTS and not seen.key:
        raise ConfigError(
            f"nothing tells where {provider} has this repository: add a remote first: "
            "`git remote add origin URL`"
        )
    return provider


def _said(seen: "Seen", provider: str) -> list[str]:
    from directcd.init.files import NAME

    said = [line(f"{NAME}: {seen.target}, from {seen.url} at {seen.ref or 'its HEAD'}")]
    if seen.had_credential:
        said.append(
            "The remote's URL holds a credential, which was not written: put the password or token "
            "into a file of mode 600, and name it by password_file beside the url."
        )
    if not seen.recipe:
        said.append("It has neither build.sh nor go.mod: add one, or nothing can be built.")
    return [*said, *_webhook(provider), "Then: directcd up"]


def _webhook(provider: str) -> list[str]:
    from directcd.init.forges import EVENTS
    from directcd.init.writing import SECRET, SOURCE

    if not provider:
        return ["No forge tells of pushes to a path of this machine: it is polled."]
    return [
        *_by_command(provider),
        "By hand: at the forge, create a webhook:",
        f"    URL     http://YOUR-HOST:8080/webhooks/{provider}/{SOURCE}",
        f"    secret  what is in {SECRET}",
        f"    events  {EVENTS.get(provider, 'pushes')}",
        "The hub listens on this machine alone: change `listen`, or put a proxy in front.",
    ]


def _by_command(provider: str) -> list[str]:
    from hub.forges.opening import SPOKEN

    if provider not in SPOKEN:
        return []
    step = "public_url in [hub], then `directcd up`, and `directcd hook create --token-file FILE`"
    return [f"To have the webhook made and proven: set {step}"]
