"""Data of the API as text for people."""

from collections.abc import Sequence


def moment(time: str) -> str:
    """A time of the API: UTC, to the second."""
    return time[:19].replace("T", " ") + "Z"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)
