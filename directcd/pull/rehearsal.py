"""`directcd pull --dry-run`: what would be pulled, built and run, without doing it."""

import logging
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from cd4sources.building.workshop import Plan
from cd4sources.direct.rehearsing import rehearsed
from cd4sources.disk import pointed
from cd4sources.settings import ClientSettings
from cd4sources.targets import Repository, Target
from directcd.pull.arguments import Pull


async def rehearse(pull: Pull, target: Target) -> None:
    """
    Print it, a line each.

    Raises:
        RepositoryError: A repository cannot be fetched.
        BuildFailed: It could not be built.
    """
    logging.disable(logging.WARNING)  # what is left behind there and ended is nobody's news
    plan = await rehearsed(pull.server, target)
    for heading, text in _lines(pull, target, plan):
        sys.stdout.write(f"{heading:12} {text}\n")


def _lines(pull: Pull, target: Target, plan: Plan) -> Iterator[tuple[str, str]]:
    pairs = zip(target.repositories, plan.lockset, strict=True)
    for number, (repository, commit) in enumerate(pairs):
        yield "" if number else "would pull", _pulled(repository, commit)
    yield "would build", f"{plan.version} by {plan.recipe.summary}"
    yield "would run", _command(pull.client, target)
    yield "runs now", _running(pull.client)
    yield "looks", f"every {pull.server.poll_interval_seconds:g} s{_hub(pull)}"


def _pulled(repository: Repository, commit: str) -> str:
    instead = f", in place of {repository.replaces}" if repository.replaces else ""
    return f"{repository.url} at {repository.ref or 'HEAD'}, now {commit[:12]}{instead}"


def _command(client: ClientSettings, target: Target) -> str:
    program = client.data / "current" / (target.output or target.name)
    return shlex.join([str(program), *client.args])


def _running(client: ClientSettings) -> str:
    """The version that was healthy last, for nothing says so quickly whether it lives."""
    return Path(pointed(client.data / "current")).name or "nothing that was pulled here"


def _hub(pull: Pull) -> str:
    return ", and when the hub tells of a push" if pull.server.hub else ""
