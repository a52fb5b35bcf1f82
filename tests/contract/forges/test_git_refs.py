"""Where refs stand, asked of a real git server in both versions of its protocol, and of liars."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.forges.errors import ForgeError
from hub.forges.git_refs import GitRefs, Tip, _lines, _tips
from hub.forges.http import ForgeHttp
from tests.support.recovering import MAIN, World, world

ALL = ("refs/heads/", "refs/tags/")

pytestmark = pytest.mark.anyio


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[World]:
    """A forge with one repository, two branches and a tag."""
    with world("gitea", tmp_path) as made:
        made.repository("acme/shop")
        made.commit("acme/shop", "refs/heads/main-2")
        yield made


@pytest.mark.parametrize("protocol", [None, "version=0", ""])
async def test_refs_are_told_in_any_version(forge: World, protocol: str | None) -> None:
    tag = forge.tag("acme/shop", "v1")
    forge.git.protocol = protocol
    refs = GitRefs(ForgeHttp(forge.forge.web_url, dict))
    assert await refs.refs("acme/shop", ALL) == {
        MAIN: Tip(forge.tips["acme/shop", MAIN]),
        "refs/heads/main-2": Tip(forge.tips["acme/shop", "refs/heads/main-2"]),
        "refs/tags/v1": Tip(tag, forge.tips["acme/shop", MAIN]),
    }
    await refs.close()


async def test_an_empty_repository_has_none(forge: World) -> None:
    forge.repository("acme/empty", is_empty=True)
    for protocol in (None, ""):
        forge.git.protocol = protocol
        refs = GitRefs(ForgeHttp(forge.forge.web_url, dict))
        assert await refs.refs("acme/empty", ALL) == {}
        await refs.close()


async def test_a_repository_of_another_object_format_is_read(forge: World) -> None:
    forge.repository("acme/new", "--object-format=sha256")
    refs = GitRefs(ForgeHttp(forge.forge.web_url, dict))
    found = await refs.refs("acme/new", ALL)
    assert found[MAIN].object == forge.tips["acme/new", MAIN]
    assert len(found[MAIN].object) == 64
    await refs.close()


async def test_nothing_there_is_an_error_with_a_next_step(forge: World) -> None:
    refs = GitRefs(ForgeHttp(forge.forge.web_url, dict))
    with pytest.raises(ForgeError):
        await refs.refs("acme/nowhere", ALL)
    await refs.close()


@given(st.binary(max_size=200))
def test_any_answer_at_all_is_refs_or_a_value_error(answer: bytes) -> None:
    try:
        found = _tips(_lines(answer))
    except ValueError:
        return
    assert all(ref.startswith("refs/") for ref in found)
