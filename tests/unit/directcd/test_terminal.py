"""What strangers print, on a terminal: words and colours, nothing that it would obey."""

import pytest

from directcd.terminal import Printer, line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bc\x9b2Jreset", "c2Jreset"),
        ("10%\r20%\r\nend", "10%\n20%\nend"),
        ("a\u202eb\x00\x07\x7f", "ab"),
        ("Grüße … 日本", "Grüße … 日本"),
    ],
    ids=["plain", "colour", "cursor", "title", "link", "other", "return", "direction", "unicode"],
)
def test_only_words_and_colours_are_left(text: str, shown: str) -> None:
    """Cursor, title, links, resets and turned text are not for a log to decide."""
    assert printable(text) == shown


def test_a_line_is_one_and_plain() -> None:
    """A colour would go on behind it."""
    assert line("one\r\ntwo\x1b[8m \x1b]0;title\x07\tthree\u2028") == "one two three"


@pytest.mark.parametrize("cut", range(1, 16))
def test_pieces_may_end_anywhere(cut: int) -> None:
    """Also in the middle of a sequence or of a character."""
    whole = "é\x1b[31mé\x1b[2Jü".encode()
    printer = Printer()
    assert printer.feed(whole[:cut]) + printer.feed(whole[cut:]) == "é\x1b[31méü"


def test_an_endless_sequence_is_not_held_back() -> None:
    """What never ends is no sequence: it costs no memory, and is shown in the end."""
    printer = Printer()
    shown = printer.feed(b"\x1b]" + b"x" * 1000) + printer.feed(b"y")
    assert len(shown) > 900
