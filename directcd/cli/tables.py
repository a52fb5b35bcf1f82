"""Data of the API as text for people."""

from collections.abc import Sequence
from datetime import datetime

from directcd.terminal import line


def moment(time: datetime) -> str:
    """A time of the API, to the second."""
    return time.isoformat(" ", "seconds").replace("+00:00", "Z")


def table(texts: Sequence[Sequence[str]]) -> str:
    """Lines with aligned columns; nothing in them moves a terminal's cursor."""
    rows = [[line(text) for text in row] for row in texts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
