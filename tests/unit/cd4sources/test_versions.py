"""Version ids: the same inputs give the same id everywhere."""

import re

import pytest

from cd4sources.keeping.versions import version_id

LOCKSET = (("git.example.com/acme/shop", "refs/heads/main", "a" * 40, ""),)


def test_id_is_stable() -> None:
    """Two servers, and two releases of this program, call the same inputs by the same id."""
    assert version_id(LOCKSET, "script 1", "Linux x86_64") == "v-b8ed4f6c0d39"


def test_id_has_the_agreed_form() -> None:
    """`v-` and 12 hex digits."""
    assert re.fullmatch(r"v-[0-9a-f]{12}", version_id(LOCKSET, "", ""))


@pytest.mark.parametrize(
    "other",
    [
        ((("git.example.com/acme/shop", "refs/heads/main", "b" * 40, ""),), "script 1", "Linux"),
        ((("git.example.com/acme/shop", "refs/heads/dev", "a" * 40, ""),), "script 1", "Linux"),
        ((*LOCKSET, *LOCKSET), "script 1", "Linux"),
        (LOCKSET, "script 2", "Linux"),
        (LOCKSET, "script 1", "Darwin"),
    ],
)
def test_any_other_input_gives_another_id(
    other: tuple[tuple[tuple[str, ...], ...], str, str],
) -> None:
    """Commit, ref, number of repositories, recipe and toolchain all count."""
    assert version_id(*other) != version_id(LOCKSET, "script 1", "Linux")
