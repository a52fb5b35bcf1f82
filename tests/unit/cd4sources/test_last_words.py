"""Which line of a file is quoted, and how."""

from pathlib import Path

import pytest

from cd4sources.running.last_words import MOST_CHARACTERS, last_line

GO = "serving\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x25\n"
PYTHON = 'Traceback (most recent call last):\n  File "a.py", line 1\nshop.NoStock: none left\n'
NODE = "/a.js:1\nthrow new Error('x')\n^\n\nTypeError: x is not y\n    at a.js:1\n\nNode.js v18\n"
RUST = "thread 'main' panicked at src/main.rs:2:5:\nnote: run with `RUST_BACKTRACE=1`\n"


def said(tmp_path: Path, text: str | bytes, begin: int = 0) -> str:
    log = tmp_path / "log"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    with log.open("ab") as file:
        return last_line(file.fileno(), begin)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GO, "panic: boom"),
        (PYTHON, "shop.NoStock: none left"),
        (NODE, "TypeError: x is not y"),
        (RUST, "thread 'main' panicked at src/main.rs:2:5:"),
        ("ImportError: a\nGET / 200\n", "ImportError: a"),
        ("one\ntwo without an end", "two without an end"),
        ("\x1b[31mred\x1b[0m\t\x07\u202eend\n\n", "red   end"),
        ("cannot reach postgres://shop:hunter2@db/shop\n", "cannot reach postgres://***@db/shop"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
        ("", ""),
        ("\n \n", ""),
    ],
    ids=["go", "python", "node", "rust", "beside", "end", "colours", "secret", "bytes", "0", "_"],
)
def test_the_line_that_says_why_is_quoted(tmp_path: Path, text: str | bytes, line: str) -> None:
    """The last that names an error, or the last one: printable, without passwords of URLs."""
    assert said(tmp_path, text) == line


def test_only_what_came_since_is_quoted(tmp_path: Path) -> None:
    """Or all of it, when somebody has emptied the file meanwhile."""
    assert said(tmp_path, "old\n", begin=4) == ""
    assert said(tmp_path, "new\n", begin=1_000) == "new"


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    """At its end."""
    line = said(tmp_path, "x" * 500_000 + "\n")
    assert line == "x" * (MOST_CHARACTERS - 1) + "…"


def test_a_file_that_is_gone_can_still_be_read(tmp_path: Path) -> None:
    """Logs are moved away and removed while they are written to."""
    with (tmp_path / "log").open("ab", buffering=0) as file:
        file.write(b"Error: why\n")
        (tmp_path / "log").unlink()
        assert last_line(file.fileno(), 0) == "Error: why"
