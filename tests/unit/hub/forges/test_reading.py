"""Fields of a forge's JSON, whatever they hold."""

import pytest

from hub.forges.reading import EPOCH, moment, number, objects


@pytest.mark.parametrize(
    "told", [None, 1, "", "yesterday", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"]
)
def test_what_is_no_time_is_long_ago(told: object) -> None:
    assert moment({"at": told}, "at") == EPOCH


@pytest.mark.parametrize("document", [None, [], "text", {"id": "7"}, {}])
def test_what_is_no_number_is_none(document: object) -> None:
    assert number(document, "id") == 0


def test_a_page_without_end_is_cut() -> None:
    assert len(objects([{}] * 100_000)) == 1_000
