"""Passwords in a process's own arguments: gone from what others can read of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from directcd.pull.hiding import masked

URL = "https://me:s3cr3t@git.example.com/x.git"
CODE = """
import sys
from directcd.cli import main
try:
    main()
except SystemExit:
    print(*sys.argv[1:], flush=True)
    sys.stdin.read()
"""


@contextmanager
def hidden(*words: str) -> Iterator[tuple[int, str]]:
    """A command that could not do it and waits: its number, and the words it knows itself."""
    command = [sys.executable, "-c", CODE, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().rstrip("\n")
        _, said = process.communicate()
    assert said.startswith("directcd: --output: ")
    assert "s3cr3t" not in said


def words_of(pid: int) -> list[str]:
    """A process's arguments as others see them, without the interpreter's."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3:-1]


def test_a_password_is_not_in_the_process_list() -> None:
    """Its other words are, as they were; the process itself still knows it."""
    with hidden("pull", f"--repo={URL}", "-o", "bin/app") as (pid, known):
        shown = f"--repo=https://{'*' * 9}@git.example.com/x.git"
        assert words_of(pid) == ["pull", shown, "-o", "bin/app"]
    assert URL in known


def test_without_a_password_nothing_is_touched() -> None:
    """Whoever looks for the process by its words finds it."""
    words = ["pull", "--repo=https://git.example.com/x.git", "-o=bin/app"]
    with hidden(*words) as (pid, _):
        assert words_of(pid) == words


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("https://me:s3@h/x", "https://*****@h/x"),
        ("https://token@h/x", "https://*****@h/x"),
        ("https://me:s/3@2@h/x", "https://********@h/x"),
        ("a.b/c=https://me:s3@h/x", "a.b/c=https://*****@h/x"),
        ("redis://h?password=s3&x=1", "redis://h?password=**&x=1"),
        ("git@h:x", "git@h:x"),
    ],
)
def test_the_mask_has_the_length_of_the_secret(word: str, shown: str) -> None:
    """And ends with the word: the next one is not eaten."""
    assert masked(f"{word}\0me@h\0".encode()) == f"{shown}\0me@h\0".encode()
