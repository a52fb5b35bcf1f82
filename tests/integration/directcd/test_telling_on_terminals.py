"""Telling what a pull does on a real terminal, which a program prints to as well."""

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping

import pytest

from directcd.pull.advice import Advice
from directcd.pull.interactive import FRAME_SECONDS, Interactive
from directcd.pull.records import Among, handled
from directcd.pull.sentences import Sentences
from directcd.pull.sink import Sink
from directcd.pull.standing import Standing
from directcd.pull.telling import LASTING_SECONDS, Teller
from tests.support.stages import VERSION, failed, fetched, report
from tests.support.terminals import Terminal, terminal
from tests.support.waiting import eventually

XTERM = {"TERM": "xterm-256color"}
LIVE = re.compile("\x1bD\x1b\\[A\x1b7\r\n +. building  [0-9.]+ s\x1b8")
logger = logging.getLogger("cd4sources.somewhere")


@pytest.fixture
def screen() -> Iterator[Terminal]:
    """A terminal."""
    with terminal() as one:
        yield one


def on(screen: Terminal, environment: Mapping[str, str] = XTERM) -> Interactive:
    """The form for a terminal."""
    sentences = Sentences(Standing(), Advice("", {}), verbose=False)
    return Interactive(Sink(screen.stream), sentences, environment)


def telling(screen: Terminal, environment: Mapping[str, str] = XTERM) -> Teller:
    """A witness that tells there."""
    return Teller(Standing(), [on(screen, environment)])


def test_a_terminal_gets_a_line_a_step_with_its_time(screen: Terminal) -> None:
    """Aligned at the right, coloured at the left."""
    teller = telling(screen)
    teller.ended(fetched("start"))
    teller.ended(failed("built", "no go"))
    first, second, below, _ = screen.read().split("\n")
    assert first == f"\x1b[32m✓\x1b[0m fetched   {'shop 1a2b3c4d5e6f':54}0.08 s"
    assert second.startswith(f"\x1b[31m✗\x1b[0m build failed  {VERSION}  no go")
    assert below.startswith("\x1b[2m  nothing runs yet")


async def test_what_takes_its_time_is_shown_below_the_cursor_and_taken_back(
    screen: Terminal,
) -> None:
    """So that the program's own output is not broken, and nothing has to be restored."""
    teller = telling(screen)
    teller.began("shop", "built", None)
    await eventually(lambda: len(LIVE.findall(screen.seen())) > 1)
    teller.ended(report("built"))
    assert re.search(r"\x1b\[J\x1b\[32m✓\x1b\[0m built .* s\n$", screen.seen())
    await asyncio.sleep(3 * FRAME_SECONDS)
    assert not screen.read()


async def test_records_do_not_break_the_live_line(screen: Terminal) -> None:
    """They stand above it, and it is drawn again."""
    form = on(screen)
    teller = Teller(Standing(), [form])
    teller.began("shop", "built", None)
    await eventually(lambda: LIVE.search(screen.seen()))
    with handled(Among(form), verbose=False):
        logger.warning("program ended", extra={"status": 1})
    record = "\x1b[J\x1b[33m! program ended status=1\x1b[0m\n"
    assert LIVE.match(screen.seen().partition(record)[2])
    teller.close()
    assert screen.read() == "\x1b[J"


async def test_a_short_stage_is_never_shown(screen: Terminal) -> None:
    """A poll that finds nothing new leaves no trace, and nor does the end."""
    teller = telling(screen)
    teller.began("shop", "fetched", None)
    teller.ended(report("fetched", result="unchanged", is_news=False))
    teller.began("shop", "fetched", None)
    teller.close()
    await asyncio.sleep(LASTING_SECONDS + FRAME_SECONDS)
    assert not screen.read()


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "dumb"}, {**XTERM, "NO_COLOR": "1"}, {}],
    ids=["dumb", "no-colour", "no-name"],
)
def test_a_terminal_that_knows_no_colours_gets_none(
    screen: Terminal, environment: dict[str, str]
) -> None:
    """See https://no-color.org."""
    telling(screen, environment).ended(fetched("start"))
    assert screen.read().startswith("✓ fetched")


async def test_a_terminal_that_cannot_move_its_cursor_gets_lines_alone(screen: Terminal) -> None:
    """What lasts is told of when it ends."""
    teller = telling(screen, {"TERM": "dumb"})
    teller.began("shop", "built", None)
    await asyncio.sleep(LASTING_SECONDS + FRAME_SECONDS)
    teller.ended(report("built"))
    assert screen.read().startswith("✓ built")


def test_a_terminal_that_is_narrow_or_knows_ascii_alone_is_served() -> None:
    """Times stand behind the text, marks are letters."""
    with terminal(columns=20, encoding="ascii") as screen:
        telling(screen, {"TERM": "dumb"}).ended(fetched("start"))
        assert screen.read() == "+ fetched   shop 1a2b3c4d5e6f  0.08 s\n"


async def test_a_narrow_terminal_cuts_the_live_line() -> None:
    """It never wraps."""
    with terminal(columns=10) as narrow:
        teller = telling(narrow)
        teller.began("shop", "built", None)
        await eventually(lambda: "\r\n⠋ buildin\x1b8" in narrow.seen())
        teller.close()


def test_a_terminal_that_hung_up_hurts_nobody() -> None:
    """The program that runs there may run on."""
    with terminal() as screen:
        teller = telling(screen)
        screen.hang_up()
        teller.ended(fetched("start"))
        teller.ended(fetched("start"))
