"""
Hostile addresses and refs: through the settings to git's command line, and to git itself.

A slice of them, or with DIRECTCD_CHAOS=full a hundred thousand.
"""

import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from cd4sources.settings import RepositorySettings, TargetSettings
from cd4sources.sources.addresses import BadTarget
from cd4sources.sources.git import Git, argv_of
from cd4sources.sources.repository import FETCH, Mirror, RepositoryError, fetch_values
from cd4sources.targets import Repository, Target
from tests.support.git_hostile import SECRET, hostile

# Read here: tests are run without any DIRECTCD_ variable.
FULL = os.environ.get("DIRECTCD_CHAOS") == "full"
COUNT = 100_000 if FULL else 2_000
REAL = 1_000 if FULL else 25
SEED = 20_261_128

pytestmark = pytest.mark.timeout(600 if FULL else 60)


def repository(url: str, ref: str) -> Repository:
    """As a configuration makes it."""
    settings = RepositorySettings(url=SecretStr(url), ref=ref)
    target = TargetSettings(name="app", repositories=(settings,))
    return Target.from_settings(target).repositories[0]


def refusal(url: str, ref: str) -> str:
    """Why a pair is refused, "" if it is not."""
    try:
        repository(url, ref)
    except BadTarget as error:
        return str(error)
    return ""


def accepted(seed: int, count: int) -> Iterator[Repository]:
    """Those that are not refused."""
    for url, ref in hostile(seed, count):
        try:
            yield repository(url, ref)
        except BadTarget:
            continue


def test_no_value_is_ever_an_option() -> None:
    """Our options come first, then the mark of their end, then exactly the address and the ref."""
    repositories = list(accepted(SEED, COUNT))
    assert len(repositories) > COUNT // 100
    for one in repositories:
        argv = argv_of("fetch", FETCH, fetch_values(one))
        assert argv[: -len(("--end-of-options", "url", "ref"))] == argv_of("fetch", FETCH)
        assert argv[-3:] == ("--end-of-options", one.url, argv[-1])
        assert not one.url.startswith("-")
        assert not re.match(r"\w*::", one.url)
        assert argv[-1].startswith(("+refs/", "+HEAD:"))
        assert all(text.isprintable() and " " not in text for text in argv[-3:])


def test_no_secret_stays_in_an_address() -> None:
    """Wherever the password stood: it was taken out, or refused; ssh's user is only a name."""
    schemes = ("http://", "https://", "git://")
    found = [one for one in accepted(SEED + 1, COUNT) if one.url.startswith(schemes)]
    assert any(one.credential for one in found)
    told = [one for one in found if SECRET in f"{one.url} {one!r} {one.name} {one.keys}"]
    # Chance may have cut an address so that what was the password is the host.
    assert not [one for one in told if SECRET not in (urlsplit(one.url).hostname or "")]


def test_every_refusal_is_a_sentence_without_the_value() -> None:
    """What, and what to write instead; nothing of a secret."""
    refusals = [refusal(url, ref) for url, ref in hostile(SEED + 2, COUNT)]
    assert sum(map(bool, refusals)) > COUNT // 4
    assert all(said == "" or len(said) > 40 for said in refusals)
    assert not any(SECRET in said for said in refusals)


def past_settings(seed: int, count: int) -> Iterator[Repository]:
    """What git would get, were there no grammar before it."""
    for url, ref in hostile(seed, count):
        if (url + ref).isprintable():
            yield Repository(url, ref=ref)


@pytest.mark.parametrize("made", [accepted, past_settings])
async def test_no_value_runs_anything(
    tmp_path: Path, made: Callable[[int, int], Iterator[Repository]]
) -> None:
    """Each of the two fences alone is enough: no command in a value leaves its file."""
    canary = tmp_path / "canary"
    git = Git(tmp_path / "data", 5.0)
    for number, one in enumerate(islice(made(SEED, COUNT), REAL)):
        url, ref = (text.replace("CANARY", str(canary)) for text in (one.url, one.ref))
        mirror = Mirror(tmp_path / str(number), Repository(url, one.credential, ref), git)
        with pytest.raises(RepositoryError):
            await mirror.fetch()
    assert not canary.exists()
    assert not (git.home / "CANARY").exists()
