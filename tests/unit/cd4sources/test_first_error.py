"""The first error in what compilers say, and what only looks like one."""

import pytest

from cd4sources.building.first_error import first_error


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (
            "# app\n./main.go:5:2: undefined: foo\n./main.go:9:1: more\n",
            "main.go:5:2: undefined: foo",
        ),
        ("../1-lib/lib.go:3:1: syntax error\n", "../1-lib/lib.go:3:1: syntax error"),
        ("\x1b[1m\x1b[31mmain.c:3:9: error: no\x1b[0m such\n", "main.c:3:9: error: no such"),
        ("x.c:1:2: warning: unused\nx.c:2:3: error: unknown\n", "x.c:2:3: error: unknown"),
        ("src/Main.java:5: error: ';' expected\n", "src/Main.java:5: error: ';' expected"),
        ("build.sh: 3: cc: not found\n", "build.sh: 3: cc: not found"),
        ("build.sh: line 3: cc: command not found", "build.sh: line 3: cc: command not found"),
        (
            "Makefile:12: *** missing separator.  Stop.",
            "Makefile:12: *** missing separator.  Stop.",
        ),
    ],
)
def test_first_error_is_found(said: str, first: str) -> None:
    """Relative to the tree, without colours, and no mere warning."""
    assert first_error(said) == first


@pytest.mark.parametrize(
    "said",
    [
        "",
        "# example.com/app.v2:3\n",
        "https://example.com:443: refused",
        "http://example.com/x.go:80: refused",
        "example.com:443: connection refused",
        "127.0.0.1:8080: connection refused",
        "localhost:8080: connection refused",
        "12:30:45: started",
        "2026-11-28T12:30:45: started",
        "go: example.com/lib@v1.2.3: module lookup disabled by GOPROXY=off",
        "main.c:1:2: note: declared here",
        "main.go:5:2:",
    ],
)
def test_what_looks_like_an_error_is_none(said: str) -> None:
    """Addresses, times, notes, and what names no line."""
    assert first_error(said) == ""


def test_error_is_short_and_quickly_found() -> None:
    """Whatever a build prints."""
    assert len(first_error("main.go:1:1: " + "x" * 60_000)) == 300
    assert first_error("a." * 30_000 + ":") == ""
