"""A line that changes below what a program prints."""

import pytest

from directcd.pull.live import cells, fitting


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "abc"), ("日本", 3, "日"), ("", 0, ""), ("abc", -1, "")],
    ids=["fits", "cut", "wide", "empty", "no-room"],
)
def test_what_is_shown_never_wraps(text: str, columns: int, shown: str) -> None:
    """A line that wraps could not be taken back."""
    assert fitting(text, columns) == shown


def test_wide_characters_take_two_columns() -> None:
    """As terminals have it."""
    assert cells("a日") == 3
