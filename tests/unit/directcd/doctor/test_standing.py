"""What can be said of a configuration without asking anybody."""

from pathlib import Path

import pytest

from directcd.config import load
from directcd.doctor import files
from directcd.doctor.findings import Finding
from directcd.doctor.mending import mended
from directcd.doctor.standing import standing

STRONG = "5f0c1d9e27ab4c3388e6d1f0a2b94c77"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place whose secret file only we may read."""
    secret = tmp_path / "secret"
    secret.write_text(STRONG)
    secret.chmod(0o600)
    return tmp_path


def source(place: Path) -> str:
    """A source with that secret."""
    return f'provider = "github"\nsecrets_files = ["{place}/secret"]\n'


def hub(place: Path, more: str = "", of_source: str = "") -> str:
    """A hub with one source."""
    table = of_source or source(place)
    return f'[hub]\ndata = "{place}/hub"\n{more}\n[hub.sources.main]\n{table}'


def client(place: Path, more: str) -> str:
    """A client."""
    return f'[client]\ndata = "{place}/client"\n{more}\n'


def examined(place: Path, text: str) -> list[Finding]:
    """All findings."""
    file = place / "directcd.toml"
    file.write_text(text)
    file.chmod(0o600)
    return standing(load(file), file)


def wrong(place: Path, text: str) -> list[Finding]:
    """The findings that are not fine."""
    return [one for one in examined(place, text) if one.severity != "ok"]


def found(place: Path, text: str) -> list[tuple[str, str]]:
    """Severity and key of each."""
    prefix = f"{place}/directcd.toml:"
    return [(one.severity, one.where.removeprefix(prefix)) for one in wrong(place, text)]


def test_nothing_is_found_where_nothing_is_wrong(place: Path) -> None:
    """Directories that are not there yet are made at the start."""
    assert found(place, hub(place) + client(place, "")) == []


@pytest.mark.parametrize(
    ("secret", "severity"),
    [("the webhook's secret", "warning"), ("hunter2", "warning"), ("a" * 64, "warning")],
    ids=["from the README", "short", "one character"],
)
def test_a_secret_that_can_be_guessed_is_found(place: Path, secret: str, severity: str) -> None:
    """In the file and in a file of its own; never shown."""
    [written] = wrong(place, hub(place, of_source=f'provider = "github"\nsecrets = ["{secret}"]'))
    (place / "secret").write_text(secret)
    [filed] = wrong(place, hub(place))
    assert written.severity == filed.severity == severity
    assert secret not in f"{written}{filed}"


def test_a_missing_secret_file_is_a_problem(place: Path) -> None:
    """The hub would start without it, and refuse every delivery."""
    (place / "secret").unlink()
    assert found(place, hub(place)) == [("problem", "hub.sources.main.secrets_files[0]")]


@pytest.mark.parametrize(
    "key", ["server.hub_token_file", "client.hub_token_file", "client.token_file"]
)
def test_a_missing_token_file_is_a_problem(place: Path, key: str) -> None:
    """Every question to hub or server would fail."""
    table, _, name = key.partition(".")
    text = f'[{table}]\ndata = "{place}/{table}"\n{name} = "{place}/no-token"\n'
    assert found(place, text) == [("problem", key)]


def test_a_missing_token_file_of_a_known_server_is_a_problem(place: Path) -> None:
    """Its builds would not be shown."""
    known = '[hub.servers.one]\nurl = "http://127.0.0.1:2"\n'
    text = f'{hub(place)}{known}token_file = "{place}/no-token"\n'
    assert found(place, text) == [("problem", "hub.servers.one.token_file")]


def test_a_secret_file_that_others_may_read_is_mended(place: Path) -> None:
    """By --fix, which says so."""
    (place / "secret").chmod(0o644)
    findings = wrong(place, hub(place))
    left, done = mended(findings)
    assert [one.severity for one in left] == ["ok"]
    assert done == [f"chmod 600 {place}/secret"]
    assert wrong(place, hub(place)) == []


def test_a_containers_secrets_are_nobody_elses(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines mount them for everybody in the container to read."""
    (place / "secret").chmod(0o444)
    monkeypatch.setattr(files, "_MOUNTED", place)
    assert wrong(place, hub(place)) == []


def test_a_data_directory_that_is_missing_is_made_by_fix(place: Path) -> None:
    """And is not a finding, because the start makes it as well."""
    _, done = mended(examined(place, hub(place)))
    assert f"mkdir {place}/hub" in done
    assert (place / "hub").stat().st_mode & 0o777 == 0o700


def test_a_mend_that_fails_leaves_the_finding(place: Path) -> None:
    """With the reason."""
    (place / "secret").chmod(0o644)
    findings = [one for one in examined(place, hub(place)) if one.mend]
    (place / "secret").unlink()
    (place / "hub").write_text("in the way")
    left, done = mended(findings)
    assert ([one.severity for one in left], done) == (["warning", "warning"], [])
    assert "No such file" in left[0].next
    assert "File exists" in left[1].next


def test_directcd_toml_is_kept_from_others_when_it_holds_a_secret(place: Path) -> None:
    """A repository's password counts; without any secret it may be read."""
    url = "https://ada:s3cr3t@git.example.com/acme/shop.git"
    text = f'[[target]]\nname = "shop"\nrepositories = [{{ url = "{url}" }}]\n'
    file = place / "directcd.toml"
    file.write_text(f'[server]\ndata = "{place}/server"\n{text}')
    file.chmod(0o644)
    [finding] = [one for one in standing(load(file), file) if one.severity != "ok"]
    assert finding.where == f"{file}:target.shop.repositories[0].url"
    assert "s3cr3t" not in str(finding)


def test_a_hubs_data_that_others_may_look_into_is_mended(place: Path) -> None:
    """It holds payloads; the hub itself leaves a directory that is there as it is."""
    (place / "hub").mkdir()
    (place / "hub").chmod(0o755)
    assert found(place, hub(place)) == [("warning", "hub.data")]
    mended(wrong(place, hub(place)))
    assert found(place, hub(place)) == []


def test_equal_addresses_are_a_problem(place: Path) -> None:
    """Also when one of them is every address."""
    text = hub(place, 'listen = "127.0.0.1:8081"') + '[server]\nlisten = "0.0.0.0:8081"\n'
    text += f'data = "{place}/server"\ntokens = [{{ name = "x", sha256 = "{"0" * 64}" }}]\n'
    assert found(place, text) == [("problem", "server.listen")]


def test_equal_data_directories_are_a_problem(place: Path) -> None:
    """However they are spelled."""
    text = hub(place) + f'[client]\ndata = "{place}/./hub"\n'
    assert found(place, text) == [("problem", "client.data")]


def test_a_file_for_a_client_alone_has_no_server(place: Path) -> None:
    """Its targets say only what its program is made of."""
    text = client(place, 'servers = ["https://build.example.com"]')
    text += '[[target]]\nname = "shop"\nrepositories = [{ url = "https://github.com/a/b" }]\n'
    assert [one for one in examined(place, text) if "server" in one.where] == []


def test_a_malformed_address_is_a_problem(place: Path) -> None:
    """With what to write."""
    [finding] = wrong(place, hub(place, 'listen = "8080"'))
    assert (finding.severity, "127.0.0.1:8080" in finding.next) == ("problem", True)


@pytest.mark.parametrize("table", ["hub", "server"])
def test_an_open_api_beyond_loopback_is_a_warning(place: Path, table: str) -> None:
    """Unless tokens guard it."""
    text = f'[{table}]\ndata = "{place}/{table}"\nlisten = "0.0.0.0:8081"\n'
    assert found(place, text) == [("warning", f"{table}.listen")]
    guarded = f'{text}tokens = [{{ name = "x", sha256 = "{"0" * 64}" }}]\n'
    assert found(place, guarded) == []


def test_a_health_url_that_the_old_program_answers_is_a_warning(place: Path) -> None:
    """On a handed-over port; a command that knows the version may stand beside it."""
    text = client(place, 'sockets = ["127.0.0.1:9000"]\nhealth_url = "http://127.0.0.1:9000/"')
    assert found(place, text) == [("warning", "client.health_url")]
    assert found(place, text + 'health_command = ["true"]\n') == []


def test_a_sandbox_that_is_not_installed_is_a_problem(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every build would fail."""
    monkeypatch.setenv("PATH", str(place))
    text = f'[server]\ndata = "{place}/server"\nbuild_sandbox = "bubblewrap"\n'
    assert found(place, text) == [("problem", "server.build_sandbox")]


def test_a_health_command_that_is_not_there_is_a_problem(place: Path) -> None:
    """Every version would be rolled back."""
    text = client(place, 'health_command = ["no-such-program"]')
    assert found(place, text) == [("problem", "client.health_command")]
