"""What a build printed, as lines of coloured spans."""

import pytest

from hub.dashboard.ansi import MOST_LINES, Span, lines
from hub.dashboard.builds import first_error


def spans(text: str) -> list[tuple[str, str]]:
    """Text and classes of every span."""
    return [(span.text, span.classes) for line in lines(text) for span in line.spans]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", [("plain", "")]),
        ("\x1b[31mred\x1b[0m not", [("red", "sgr-red"), (" not", "")]),
        ("\x1b[1;92mboth\x1b[22;39moff", [("both", "sgr-bold sgr-green"), ("off", "")]),
        ("\x1b[38;5;196mfar\x1b[48;2;1;2;3mfarther", [("far", ""), ("farther", "")]),
        ("\x1b[2J\x1b[10;10Hmoved", [("moved", "")]),
        ("\x1b]0;title\x07after\x1b]8;;http://x\x1b\\link", [("after", ""), ("link", "")]),
        ("half \x1b[", [("half ", ""), ("[", "")]),
        (f"\x1b[{'1;' * 40}31mbold", [("bold", "sgr-bold")]),
        ("a\x1b[;;999999mb", [("a", ""), ("b", "")]),
        ("x\u202ey\x00", [("x⟨U+202E⟩y⟨U+0000⟩", "")]),
        ("<b>&", [("<b>&", "")]),
    ],
)
def test_of_a_terminals_commands_only_colours_are_left(
    text: str, found: list[tuple[str, str]]
) -> None:
    """Whatever is in it, nothing but text and our own classes comes out."""
    assert spans(text) == found


def test_a_colour_goes_on_to_the_next_line() -> None:
    """As on a terminal, until it is taken back."""
    first, second = lines("\x1b[31mone\ntwo\x1b[m")
    assert (first.number, second.number) == (1, 2)
    assert second.spans == (Span("two", "sgr-red"),)


def test_what_was_printed_over_is_not_shown() -> None:
    """A progress bar is its last state; a line may end in both ways."""
    assert [line.text for line in lines("10%\r50%\r100%\r\nend")] == ["100%", "end"]


def test_the_first_error_is_the_one_the_server_has_named() -> None:
    """Else the first line that speaks of one; and none of a build that went well."""
    found = lines("cc -c a.c\nerror log: none\n./a.c:3:1: error: no type\nmake: *** failed")
    named = first_error(found, "make ended with 2: a.c:3:1: error: no type; the log\nm", "failed")
    assert named
    assert named.number == 3
    other = first_error(found, "exit code 2", "failed")
    assert other
    assert other.number == 2
    assert first_error(found, "", "ok") is None


def test_an_error_is_known_by_what_runtimes_call_it() -> None:
    """In one word, behind whatever was printed."""
    found = lines("noise 1\nnoise 2\n  File 'a.py', line 1\nSyntaxError: invalid syntax")
    first = first_error(found, "exit code 1", "failed")
    assert first
    assert first.text == "SyntaxError: invalid syntax"


def test_of_very_many_lines_the_last_are_shown() -> None:
    """With the numbers that they have in the log."""
    found = lines("\n" * MOST_LINES + "end\n")
    assert (len(found), found[-1].text, found[-1].number) == (MOST_LINES, "end", MOST_LINES + 1)
