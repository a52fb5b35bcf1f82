"""directcd.toml and the environment: what is accepted, what is refused, and what is never shown."""

from pathlib import Path

import pytest

from directcd.config import MOST_BYTES, load
from directcd.errors import ConfigError

MINIMAL = """
[hub.sources.main]
provider = "github"
secrets = ["s3cr3t"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A valid file."""
    path = tmp_path / "directcd.toml"
    path.write_text(MINIMAL)
    return path


def test_what_is_absent_is_none(file: Path) -> None:
    """`directcd up` runs what the file speaks of."""
    config = load(file)
    assert config.hub is not None
    assert (config.server, config.client, config.target) == (None, None, ())


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`__` nests; what the file says beside it stays."""
    monkeypatch.setenv("DIRECTCD_HUB__LISTEN", "127.0.0.1:9")
    hub = load(file).hub
    assert hub is not None
    assert (hub.listen, list(hub.sources)) == ("127.0.0.1:9", ["main"])


def secrets_of(file: Path, name: str) -> list[str]:
    """What the secrets of a source are."""
    hub = load(file).hub
    assert hub is not None
    return [secret.get_secret_value() for secret in hub.sources[name].secrets]


def test_the_environment_rotates_the_secrets_of_a_source(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JSON list takes the place of the file's list; the provider stays the file's."""
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__MAIN__SECRETS", '["new", "old"]')
    assert secrets_of(file, "main") == ["new", "old"]


def test_a_source_of_any_name_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable's name knows no capitals and no `-`; the JSON of the whole table does."""
    file = tmp_path / "directcd.toml"
    file.write_text(MINIMAL.replace("main", "Acme-Git"))
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES", '{"Acme-Git": {"secrets": ["new"]}}')
    assert secrets_of(file, "Acme-Git") == ["new"]


def test_a_source_may_exist_in_the_environment_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside those of the file, or without any."""
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__TEA__PROVIDER", "gitea")
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__TEA__SECRETS", '["a", "b"]')
    assert (secrets_of(file, "tea"), secrets_of(file, "main")) == (["a", "b"], ["s3cr3t"])
    file.write_text("")
    assert secrets_of(file, "tea") == ["a", "b"]


@pytest.mark.parametrize("value", ["hunter2", '["hunter2", 1]', '"hunter2"', '["hunter2", ""]'])
def test_secrets_that_are_no_list_are_refused_unseen(
    file: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Without the value in the message."""
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__MAIN__SECRETS", value)
    with pytest.raises(ConfigError) as error:
        load(file)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("name", ["DIRECTCD_HBU__LISTEN", "DIRECTCD_HUB__LISTN", "DIRECTCD_X"])
def test_a_mistyped_variable_is_an_error(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A setting that silently does nothing is the worst kind."""
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError):
        load(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[hub]\nlistn = 1", r"hub\.listn: unknown key"),
        ("[hubb]", "hubb: unknown key"),
        ("[hub.sources.a]\nprovider = 'github'", "no secret"),
        ("[hub.sources.a]\nprovider = 'github'\nsecrets = [' ']", "empty secret"),
        (f"{MINIMAL}base_url = 'forge'", "hub.sources.main.base_url: it is no http or https URL"),
        (f"{MINIMAL}base_url = 'https://bob:pw@git.example.com'", "holds a user name or password"),
        (f"{MINIMAL}api_url = 'https://git.example.com/?x=1'", "no address of a forge"),
        ("[hub]\npublic_url = 'hub.example.com'", "no http or https URL"),
        (f"{MINIMAL}host_aliases = {{ '' = 'git.example.com' }}", "host_aliases: write host"),
        (f"{MINIMAL}host_aliases = {{ 'gitea:3000' = '../x' }}", "host_aliases: write host"),
        ("[server]\npoll_interval_seconds = -1", "greater than 0"),
        ("hub = ", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(file: Path, text: str, message: str) -> None:
    """File, key and what is wrong."""
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(file)


def test_no_error_shows_a_value(file: Path) -> None:
    """The value that failed may be a password."""
    url = "https://user:hunter2@git.example.com/x"
    file.write_text(
        f"[[target]]\nname = 'hunter2 BAD'\nrepositories = [{{url = '{url}', reff = 1}}]"
    )
    with pytest.raises(ConfigError) as error:
        load(file)
    assert "hunter2" not in str(error.value)


def test_a_missing_file_says_how_to_give_one(tmp_path: Path) -> None:
    """The first thing that goes wrong for a newcomer."""
    with pytest.raises(ConfigError, match="-c FILE"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [("a = " + "[" * 100_000, "not valid TOML"), ("# " + "x" * MOST_BYTES, "larger than 1024 KiB")],
    ids=["deep", "large"],
)
def test_what_is_no_configuration_is_one_sentence(file: Path, text: str, message: str) -> None:
    """A file of that name may be anybody's."""
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(file)


def test_very_many_mistakes_are_not_all_told(file: Path) -> None:
    """Each costs time, and nobody mends a thousand at once."""
    file.write_text("\n".join(f"[hub.sources.s{number}]" for number in range(1_000)))
    with pytest.raises(ConfigError) as error:
        load(file)
    assert len(str(error.value).splitlines()) <= 5 * 50


def test_two_targets_of_one_name_are_refused(file: Path) -> None:
    """The second would take the first one's directories."""
    target = '[[target]]\nname = "shop"\nrepositories = [{ url = "https://example.com/shop" }]\n'
    file.write_text(MINIMAL + target + target)
    with pytest.raises(ConfigError, match="two targets are called shop; give each its own name"):
        load(file)
