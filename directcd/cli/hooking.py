"""How the commands of `directcd hook` do their work, and tell what came of it."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from directcd.cli import servers
from directcd.cli.hook_options import Asked
from directcd.exits import Exit
from directcd.terminal import line

if TYPE_CHECKING:
    from directcd.hooks.outcomes import Outcome
    from directcd.hooks.working import Work

T = TypeVar("T")


def done(asked: Asked, work: "Work", *, signed: bool = False) -> None:
    """Do something at every place, tell what came of it, and end with the worst code."""
    finish(asked, worked(asked, work, signed=signed))


def worked(asked: Asked, work: "Work", *, signed: bool = False) -> "list[Outcome]":
    """
    Do something at every place; what came of it.

    Args:
        asked: where, and with what.
        work: what.
        signed: whether it needs the secret, which is then made where it is missing.
    """
    from directcd.hooks.working import opened

    async def run() -> "list[Outcome]":
        secret_of = _secrets(asked) if signed else lambda _: ""
        async with opened(asked.means, asked.places, secret_of) as office:
            for doubt in office.doubts.values():
                if signed and doubt.severity != "ok":
                    say(f"warning: {doubt.what}; {doubt.next}")
            return await office.each(work)

    return run_or_refuse(run)


def run_or_refuse(run: "Callable[[], Coroutine[Any, Any, T]]") -> T:
    """Run something; a forge whose API we do not speak ends the command."""
    from hub.forges.errors import ForgeError

    try:
        return asyncio.run(run())
    except ForgeError as error:
        raise servers.Refused(f"{error}; {error.next_step}", Exit.USAGE) from error


def finish(asked: Asked, outcomes: "Sequence[Outcome]") -> NoReturn:
    """Tell what came of it, and end with the worst code."""
    _tell(asked, outcomes, {"webhooks": [one.as_json() for one in outcomes]})


def finish_list(
    asked: Asked, failed: "Sequence[Outcome]", found: Sequence[Mapping[str, Any]]
) -> NoReturn:
    """Tell what is there, and of what that is not known; end with the worst code."""
    troubles = [one.as_json() for one in failed]
    _tell(asked, failed, {"webhooks": list(found), "troubles": troubles})


def _tell(asked: Asked, outcomes: "Sequence[Outcome]", document: Mapping[str, Any]) -> NoReturn:
    if asked.as_json:
        click.echo(json.dumps(document))
    else:
        for text in chain.from_iterable(one.lines() for one in outcomes):
            say(text)
    sys.exit(max((one.code for one in outcomes), default=Exit.OK))


def say(text: str) -> None:
    """One line for people."""
    indent = " " * (len(text) - len(text.lstrip()))
    click.echo(indent + line(text), err=True)


def _secrets(asked: Asked) -> Callable[[str], str]:
    """What signs, by the source's name; made where it is missing, unless all is only said."""
    from directcd.hooks import source_secrets

    found: dict[str, str] = {}
    for name in asked.sources:
        settings = asked.means.hub.sources[name]
        if settings.insecure:
            say(f"warning: source {name} takes unsigned deliveries: the webhook has no secret")
        if asked.means.is_dry:
            if source_secrets.is_missing(settings):
                say(f"{source_secrets.file_of(settings)} would be made, with a new secret")
            continue
        if made := source_secrets.ensured(settings):
            say(f"{made} was made, with a new secret: keep it, the hub reads it")
        found[name] = source_secrets.current(settings)
    return lambda name: found.get(name, "")
