"""Mistakes in a file: all at once, each in plain words, with its place and its next step."""

from pathlib import Path

import pytest

from directcd.doctor.settings import Read, read
from directcd.doctor.standing import standing

JARGON = ("Input", "valid", "instance", "pattern", "parse", "tuple", "dict", "str")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a configuration."""
    return tmp_path / "directcd.toml"


def found(known: Read) -> dict[str, str]:
    """What is wrong, by its place without the file."""
    return {one.where.partition(".toml:")[2]: one.what for one in known.findings}


def test_mistakes_of_every_kind_are_found_in_one_run(file: Path) -> None:
    """Of values, of names, of what contradicts itself, and of what no part starts with."""
    file.write_text("""
[hub]
lisen = "127.0.0.1:9"
keep_events = "many"
[hub.sources.one]
provider = "githib"
insecure = true
[hub.sources.two]
provider = "gitea"
repos = []
[[target]]
name = "Shop"
repositories = [{ url = "/srv/shop" }]
[[target]]
name = "lib"
repositories = [{ ref = "main" }, { url = "/srv/lib", reff = "x" }]
[[target]]
name = "app"
repositories = [{ url = "https://h.test/app", ssh_key_file = "/run/key" }]
""")
    known = read(file)
    assert set(found(known)) == {
        "hub.lisen",
        "hub.keep_events",
        "hub.sources.one.provider",
        "hub.sources.two.repos",
        "hub.sources.two",
        "target[0].name",
        "target.lib.repositories[0].url",
        "target.lib.repositories[1].reff",
        "target.app",
    }
    assert all(one.severity == "problem" and one.next for one in known.findings)
    steps = {one.what: one.next for one in known.findings}
    assert steps["No adapter named 'githib' is installed"].startswith("Installed are: ")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("[hub]\nkeep_events = 0", "hub.keep_events", "must be at least 1"),
        ("[hub]\nkeep_events = 'x'", "hub.keep_events", "must be a whole number"),
        ("[hub]\nlisten = 1", "hub.listen", "must be a text in quotes"),
        ("hub = 1", "hub", "must be a table"),
        ("[client]\nargs = 'x'", "client.args", "must be a list, in brackets"),
        ("[client]\noverlap = 'x'", "client.overlap", "must be true or false or must be 'auto'"),
        ("[client]\nsettle_seconds = -1", "client.settle_seconds", "must be at least 0"),
        ("[client]\nservers = []", "client.servers", "must have at least 1 of them"),
        ("[[target]]\nname = 'a'", "target.a.repositories", "is missing"),
        (
            "[hub]\ncallback_allowed_networks = ['x']",
            "hub.callback_allowed_networks[0]",
            "must be a network, such as 10.20.0.0/16",
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words(file: Path, text: str, where: str, what: str) -> None:
    """Without the words of the library that reads settings."""
    file.write_text(text)
    known = read(file)
    assert found(known) == {where: what}
    assert not any(word in what for word in JARGON)


def test_what_follows_from_a_mistake_is_none(file: Path) -> None:
    """What was wrong is not found to be missing, and nothing is said of a default in its place."""
    file.write_text(
        "[hub]\ndata = 1\n[hub.sources.a]\nprovider = 'github'\nsecrets = 'x'\n[client]\n"
    )
    known = read(file)
    assert set(found(known)) == {"hub.data", "hub.sources.a.secrets"}
    assert known.config
    sure = known.sure(standing(known.config, file), f"{file}:")
    wheres = [one.where for one in sure]
    assert not any(one.mend for one in sure)
    assert f"{file}:hub.listen" in wheres
    assert f"{file}:hub.data" not in wheres


def test_a_mistyped_key_is_read_as_what_was_meant(file: Path) -> None:
    """What depends on it is looked at, too, and not found to be missing."""
    file.write_text("[hub.sources.a]\nprovider = 'github'\nsecretss = [' ']\n")
    said = found(read(file))
    assert set(said) == {"hub.sources.a.secretss", "hub.sources.a"}
    assert "empty secret" in said["hub.sources.a"]


def test_a_mistake_in_a_variable_ends_the_search(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no file, and cannot be read past."""
    monkeypatch.setenv("DIRECTCD_HUB__KEEP_EVENTS", "many")
    file.write_text("")
    known = read(file)
    assert known.config is None
    assert found(known) == {"hub.keep_events": "must be a whole number"}
