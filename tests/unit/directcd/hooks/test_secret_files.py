"""Files of secrets: one that is there stays as it is, and nothing is tried beside it."""

from pathlib import Path

from directcd.hooks.secret_files import made


def test_a_file_that_is_there_needs_no_directory_that_can_be_written(tmp_path: Path) -> None:
    """Such as a container's secrets; making one leaves no trace but the file."""
    file = tmp_path / "secret"
    assert made(file)
    secret, changed = file.read_text(), tmp_path.stat().st_mtime_ns
    assert not made(file)
    assert (file.read_text(), tmp_path.stat().st_mtime_ns) == (secret, changed)
    assert [*tmp_path.iterdir()] == [file]
