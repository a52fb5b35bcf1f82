"""Range headers, and the bytes they mean."""

import pytest

from cd4sources.api.ranges import Unsatisfiable, asked_range


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=2-5", range(2, 6)),
        ("bytes=9-", range(9, 10)),
        ("bytes=9-99", range(9, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-99", range(10)),
        ("Bytes= 1-2 ", range(1, 3)),
    ],
)
def test_one_range_is_answered(header: str, meant: range) -> None:
    """From both ends, cut where the file ends."""
    assert asked_range(header, 10) == meant


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=99-1", "bytes=0-1,3-4", "lines=0-1",
     "bytes=a-b", "bytes=1-2x", "bytes=٣-", f"bytes={'9' * 99}-", "bytes=--1"],
)  # fmt: skip
def test_what_is_no_single_range_means_everything(header: str) -> None:
    """As if it was not there."""
    assert asked_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_what_does_not_exist_is_refused(header: str) -> None:
    """Nothing of the file lies there."""
    with pytest.raises(Unsatisfiable):
        asked_range(header, 10)


def test_an_empty_file_has_no_part() -> None:
    """Its last bytes are all of it; any first one is behind its end."""
    assert asked_range("bytes=-5", 0) is None
    with pytest.raises(Unsatisfiable):
        asked_range("bytes=0-", 0)
