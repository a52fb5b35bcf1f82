"""Values as a person reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.dashboard.badge import badge
from hub.dashboard.overview import spark
from hub.dashboard.text import ago, branch, duration, short, size, visible

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fix \u202egpj.exe", "fix ⟨U+202E⟩gpj.exe"),
        ("a\u200bb\x1b[2J\x00", "a⟨U+200B⟩b⟨U+001B⟩[2J⟨U+0000⟩"),
        ("\udcff", "⟨U+DCFF⟩"),
        ("<script>", "<script>"),
        ("two\nlines\tof text, größer", "two\nlines\tof text, größer"),
        ("x" * 5_000, "x" * 4_000 + " …"),
    ],
)
def test_nothing_is_hidden(text: str, shown: str) -> None:
    """What is not seen is shown by its number; what HTML obeys is the template's business."""
    assert visible(text) == shown


def test_commits_and_refs_are_said_as_people_say_them() -> None:
    """Twelve digits; a branch without its prefix, a tag with its kind."""
    assert short("c" * 40) == "c" * 12
    assert short(None) == ""
    assert [branch(ref) for ref in ("refs/heads/a/b", "refs/tags/v1", None)] == [
        "a/b",
        "tags/v1",
        "",
    ]


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(0, "0 ms"), (0.31, "0.3 ms"), (387.4, "387 ms"), (2449, "2.4 s"), (192e3, "3 min 12 s")],
)
def test_durations_can_be_compared(milliseconds: float, shown: str) -> None:
    """In one unit, or minutes and seconds."""
    assert duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7_300, "2 h ago"),
        (200_000, "2 d ago"),
        (-30, "in 30 s"),
        (-90, "in 1 min"),
    ],
)
def test_times_are_relative(seconds: float, shown: str) -> None:
    """Also those that are to come."""
    assert ago(NOW - timedelta(seconds=seconds), NOW) == shown


def test_sizes_have_one_unit() -> None:
    """Bytes are counted in powers of two."""
    assert [size(n) for n in (0, 1023, 1536, 3 << 20, 5 << 30)] == [
        *("0 B", "1023 B", "1.5 KiB", "3.0 MiB", "5.0 GiB")
    ]


def test_a_badge_obeys_nobody() -> None:
    """A target's name may be anything."""
    made = badge("<x>&\u202e", "running").decode()
    assert "&lt;x&gt;&amp;⟨U+202E⟩" in made
    assert "#1a7f4b" in made
    assert "#b3261e" in badge("shop", "building failed").decode()


def test_a_sparkline_begins_at_nought() -> None:
    """Twice as long is twice as high; without values there is no line."""
    assert spark([]) == {}
    assert spark([5, 10])["points"] == "0.0,14.0 200.0,3.0"
