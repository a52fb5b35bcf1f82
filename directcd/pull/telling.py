"""
Who is told what a pull does: people on a terminal, a log, a program, a file.

Each form is told of finished stages, and of those that take their time.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from cd4sources.reporting import Stage, StageReport
from cd4sources.targets import Target
from directcd.logs import KeyValueFormatter
from directcd.pull.advice import Advice
from directcd.pull.arguments import Pull
from directcd.pull.events import Events
from directcd.pull.interactive import Interactive
from directcd.pull.plain import Plain
from directcd.pull.records import Among, handled
from directcd.pull.sentences import Sentences
from directcd.pull.sink import Sink
from directcd.pull.standing import Lasting, Standing
from directcd.pull.status_file import StatusFile

LASTING_SECONDS = 0.2
"""What takes longer is shown while it lasts; a look that finds nothing new takes less."""


class Form(Protocol):
    """One way of telling."""

    def lasts(self, lasting: Lasting) -> None:
        """A stage takes its time; `ended` follows."""

    def ended(self, report: StageReport) -> None:
        """A stage has ended."""

    def close(self) -> None:
        """No more follows."""


class Teller:
    """
    The witness of a pull: notes how it stands, and tells all forms.

    Args:
        standing: Where it is noted.
        forms: Who is told, one after the other.
    """

    def __init__(self, standing: Standing, forms: Sequence[Form]) -> None:
        """Nothing has happened yet."""
        self._forms: tuple[Form, ...] = (standing, *forms)
        self._begun: dict[Stage, asyncio.TimerHandle] = {}

    def began(self, target: str, stage: Stage, version: str | None) -> None:  # noqa: ARG002 -- one
        """Tell of a stage as soon as it takes its time."""
        lasting = Lasting(stage, version, datetime.now(UTC))
        loop = asyncio.get_running_loop()
        self._forget(stage)
        self._begun[stage] = loop.call_later(LASTING_SECONDS, self._lasts, lasting)

    def ended(self, report: StageReport) -> None:
        """Tell how a stage ended."""
        self._forget(report.stage)
        for form in self._forms:
            form.ended(report)

    def close(self) -> None:
        """Tell that all has ended."""
        for stage in list(self._begun):
            self._forget(stage)
        for form in self._forms:
            form.close()

    def _lasts(self, lasting: Lasting) -> None:
        for form in self._forms:
            form.lasts(lasting)

    def _forget(self, stage: Stage) -> None:
        if handle := self._begun.pop(stage, None):
            handle.cancel()


@contextmanager
def teller_for(pull: Pull, target: Target) -> Iterator[Teller]:
    """The witness that tells in the ways that were asked for, log records included."""
    standing = Standing(outlived=pull.once)
    form, handler = _form(pull, target, standing)
    with handled(handler, verbose=pull.verbose):
        forms: list[Form] = [form]
        if pull.status_file:
            forms.append(StatusFile(pull.status_file, target.name, standing))
        teller = Teller(standing, forms)
        try:
            yield teller
        finally:
            teller.close()


def _form(pull: Pull, target: Target, standing: Standing) -> tuple[Form, logging.Handler]:
    if pull.as_json:
        handler = logging.StreamHandler(Sink(sys.stderr))
        handler.setFormatter(KeyValueFormatter())
        return Events(Sink(sys.stdout), standing), handler
    urls = [one.url for one in target.repositories]
    advice = Advice(pull.server.hub, dict(zip(target.names, urls, strict=True)))
    sentences = Sentences(standing, advice, verbose=pull.verbose)
    sink = Sink(sys.stderr)
    form = (
        Interactive(sink, sentences, os.environ) if sys.stderr.isatty() else Plain(sink, sentences)
    )
    return form, Among(form)
