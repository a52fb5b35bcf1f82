"""The pages of docs/reference that are made from the code say what the code does."""

from pathlib import Path

from tests.support.reference.pages import PLACE, pages


def test_the_pages_are_those_of_the_code() -> None:
    """scripts/fix writes them; every command, setting, path, code and metric is there."""
    wanted = pages(PLACE)
    assert [file.name for file, text in wanted.items() if file.read_text() != text] == []


def test_what_is_written_by_hand_is_kept(tmp_path: Path) -> None:
    """It stands above the mark."""
    for file in pages(PLACE):
        (tmp_path / file.name).write_text(f"# By hand\n\n{file.read_text()}")
    assert all(text.startswith("# By hand\n\n# ") for text in pages(tmp_path).values())
