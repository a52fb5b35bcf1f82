"""Telling what a pull does: through real pipes, among real log records."""

import json
import logging
import os
import sys
import termios
import threading
from pathlib import Path
from typing import Any

import pytest

from cd4sources.backoff import Backoff, Outage
from cd4sources.targets import Target
from directcd.pull.advice import Advice
from directcd.pull.arguments import Options, Pull, understood
from directcd.pull.events import Events
from directcd.pull.plain import Plain
from directcd.pull.records import Among
from directcd.pull.sentences import Sentences
from directcd.pull.sink import Sink
from directcd.pull.standing import Standing
from directcd.pull.telling import Teller, teller_for
from tests.support.stages import OTHER, VERSION, failed, fetched, report

ENDED = "2026-01-02T03:04:05.080+00:00"
logger = logging.getLogger("cd4sources.somewhere")


def pull(**options: Any) -> tuple[Pull, Target]:
    """A pull with options."""
    given = understood(Options(repos=("https://git.example.com/acme/shop.git",), **options))
    return given, Target.from_settings(given.target)


def test_plain_lines_have_a_time_each(capfd: pytest.CaptureFixture[str]) -> None:
    """And strangers' text begins none."""
    standing = Standing()
    plain = Plain(Sink(sys.stderr), Sentences(standing, Advice("", {}), verbose=False))
    teller = Teller(standing, [plain])
    teller.ended(fetched("push"))
    teller.ended(failed("built", "no\n2026-01-01T00:00:00.000+00:00 ok forged\x1b[31m\r\u2028x"))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == f"{ENDED} ok      fetched   shop 1a2b3c4d5e6f  push  0.08 s"
    assert all(one.startswith(f"{ENDED} failed  ") for one in lines[1:])
    assert "\x1b" not in "".join(lines)


def test_records_are_plain_lines_too(capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings; what a step's line says already is not said twice, but for what nobody expected."""
    with teller_for(*pull()) as teller:
        teller.ended(report("running"))
        logger.info("of no interest")
        logger.warning("program ended", extra={"status": 1})
        logger.warning("pass failed", extra={"reason": "told"})
        keys = {"version": OTHER, "next": "push another commit; or, …"}
        logger.error("version rolled back and quarantined", extra=keys)
        logger.error("pass failed", exc_info=ValueError("one\n2026 forged"))
    _, ended, step, surprise, *trace = capfd.readouterr().err.splitlines()
    assert ended.endswith(" warning program ended status=1")
    assert f"  {OTHER} is not started again by itself; next: push another commit; or," in step
    assert surprise.endswith(" error   pass failed")
    assert all(one.startswith("    ") for one in trace)
    assert not [one for one in logging.getLogger().handlers if isinstance(one, Among)]


def test_the_end_of_an_outage_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """By whoever has warned of its beginning."""
    with teller_for(*pull()):
        outage = Outage("hub", Backoff(1, 1))
        outage.failed("refused")
        outage.over()
    begun, over = capfd.readouterr().err.splitlines()
    assert " warning attempt failed, trying again peer=hub reason=refused" in begun
    assert over.endswith(" info    attempt worked again peer=hub")


def test_more_is_told_to_whoever_asks(capfd: pytest.CaptureFixture[str]) -> None:
    """Minor steps and minor records, such as the same failure once more."""
    with teller_for(*pull(verbose=True)) as teller:
        teller.ended(report("published"))
        logger.debug("pass failed", extra={"reason": "as before"})
    assert [one.split()[1] for one in capfd.readouterr().err.splitlines()] == ["ok", "debug"]


def test_events_are_one_object_a_line_with_every_key(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a compiler has said; records go to stderr."""
    with teller_for(*pull(as_json=True)) as teller:
        teller.ended(report("fetched", result="unchanged", is_news=False))
        teller.ended(fetched())
        teller.ended(failed("built", "ü\x1b\n\udc80"))
        logger.warning("program ended")
    said = capfd.readouterr()
    first, second = map(json.loads, said.out.splitlines())
    assert first["commits"] == [{"repository": "shop", "commit": "1a2b3c4d5e6f" + "0" * 28}]
    assert (first["caught_by_poll"], first["reason"], first["duration_seconds"]) == (
        1,
        "poll",
        0.08,
    )
    assert (second["event"], second["stage"], second["result"]) == ("stage", "built", "failed")
    assert second["message"] == "ü\x1b\n?"
    assert first.keys() == second.keys()
    assert said.err.endswith(" warning program ended\n")


def test_events_that_nobody_reads_any_more_hurt_nobody() -> None:
    """What reads them may end before what they are about."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        events = Events(Sink(stream), Standing())
        events.ended(report("running"))
        assert os.read(reading, 65_536).endswith(b"}\n")
        os.close(reading)
        events.ended(report("running"))
        events.ended(report("running"))


def test_events_that_nobody_reads_for_now_are_dropped_as_wholes() -> None:
    """A pipe that stays full keeps nobody waiting; who reads again gets whole lines."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as reader:
        sink = Sink(stream)
        for number in range(200):
            sink.write(f"{number}{'x' * 1500}\n")
        os.set_blocking(reading, False)
        early = reader.read()
        sink.write("late\n")
        lines = (early + reader.read()).decode().splitlines()
    assert lines[-1] == "late"
    assert [line.rstrip("x") for line in lines[:-1]] == [str(n) for n in range(len(lines) - 1)]
    assert 10 < len(lines) < 200


def test_a_terminal_that_is_held_keeps_nobody_waiting_for_long() -> None:
    """Somebody reads what stands there, with Ctrl-S, while a program has made it impatient."""
    screen, terminal = os.openpty()
    os.set_blocking(terminal, False)
    termios.tcflow(terminal, termios.TCOOFF)
    with os.fdopen(terminal, "w") as stream, os.fdopen(screen, "rb", buffering=0):
        sink = Sink(stream)
        for _ in range(3):
            sink.write("x" * 100_000)


def test_what_takes_nothing_keeps_nobody_waiting_for_long() -> None:
    """Although it says that it can be written."""

    class Refusing(Sink):
        def _write(self, data: bytes) -> int:
            return 0 * len(data)

    with Path(os.devnull).open("w") as stream:
        Refusing(stream).write("event")


def test_a_program_that_made_the_pipe_impatient_loses_no_event() -> None:
    """Descriptors that are shared have one set of flags: what is full is waited for."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = os.write(writing, b"x" * 1_000_000)
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as reader:
        threading.Timer(0.1, reader.read, [full]).start()
        Sink(stream).write("event")
        assert reader.read(5) == b"event"


def test_the_status_file_is_kept_until_the_end(tmp_path: Path) -> None:
    """Whatever form the lines have."""
    path = tmp_path / "status.json"
    with teller_for(*pull(status_file=str(path))) as teller:
        teller.ended(report("running"))
        assert json.loads(path.read_text())["state"] == "running"
    assert json.loads(path.read_text())["state"] == "stopped"


def test_a_program_that_outlives_the_command_is_not_said_to_have_stopped(tmp_path: Path) -> None:
    """As it does after one look."""
    path = tmp_path / "status.json"
    with teller_for(*pull(status_file=str(path), once=True)) as teller:
        teller.ended(report("running"))
    assert json.loads(path.read_text())["running"]["version"] == VERSION
