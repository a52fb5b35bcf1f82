"""Settings: frozen, strict, and silent about secrets."""

import pytest
from pydantic import SecretStr, ValidationError

from cd4sources.settings import (
    ClientSettings,
    RepositorySettings,
    ServerSettings,
    TargetSettings,
)

CANARY = "c4n4ry-p4ssw0rd"
URL = f"https://me:{CANARY}@git.example.com/acme/shop.git"


def test_password_is_masked_in_repr_and_json() -> None:
    """Neither printing nor dumping a target shows the password."""
    settings = TargetSettings(name="shop", repositories=(RepositorySettings(url=SecretStr(URL)),))
    assert CANARY not in repr(settings)
    assert CANARY not in settings.model_dump_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "shop", "repositories": [{"ulr": URL}]},
        {"name": "shop", "repositories": [{"url": [URL]}]},
        {"name": "shop", "repositories": [URL]},
        {"name": "shop", "repositories": URL},
        {"name": URL, "repositories": [{"url": URL}]},
        {"name": "shop", "repositories": [{"url": URL}], "repo": URL},
    ],
)
def test_error_never_shows_the_password(wrong: dict[str, object]) -> None:
    """Wherever a URL was put by mistake, the error names the place and not the value."""
    with pytest.raises(ValidationError) as raised:
        TargetSettings.model_validate(wrong)
    assert CANARY not in str(raised.value)


def test_a_servers_url_holds_no_password() -> None:
    """It is refused with the way that there is, and not shown."""
    with pytest.raises(ValidationError, match="put a token into token_file") as raised:
        ClientSettings(servers=("http://build:8081", f"https://me:{CANARY}@build"))
    assert CANARY not in str(raised.value)


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after it was read."""
    with pytest.raises(ValidationError):
        ServerSettings().listen = "0.0.0.0:80"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "x" * 64])
def test_target_name_must_be_safe_as_a_directory(name: str) -> None:
    """A target's name becomes a path on disk."""
    with pytest.raises(ValidationError):
        TargetSettings(name=name, repositories=(RepositorySettings(url=SecretStr("/a")),))


@pytest.mark.parametrize("output", ["../x", "a/b", ".", "..", "-x"])
def test_output_must_be_a_file_name(output: str) -> None:
    """The artifact's name never leads out of its directory."""
    repositories = (RepositorySettings(url=SecretStr("/a")),)
    with pytest.raises(ValidationError):
        TargetSettings(name="x", repositories=repositories, output=output)


@pytest.mark.parametrize(
    ("written", "read"), [("auto", "auto"), ("true", True), ("0", False), (False, False)]
)
def test_overlap_is_read_from_files_and_variables(written: str | bool, read: str | bool) -> None:  # noqa: FBT001
    """A variable holds a word also where a file has true or false."""
    assert ClientSettings.model_validate({"overlap": written}).overlap == read


def test_another_overlap_is_refused() -> None:
    """A mistyped one must not mean something."""
    with pytest.raises(ValidationError, match="overlap"):
        ClientSettings.model_validate({"overlap": "automatic"})


@pytest.mark.parametrize("model", [ServerSettings, ClientSettings])
def test_defaults_are_valid(model: type[ServerSettings | ClientSettings]) -> None:
    """An empty section is a working one."""
    assert model.model_validate(model().model_dump()) == model()


@pytest.mark.parametrize(
    "model", [ServerSettings, ClientSettings, TargetSettings, RepositorySettings]
)
def test_every_setting_says_what_it_means(model: type[ServerSettings]) -> None:
    """Each field has a description for `config schema`."""
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://hub", "redi://hub", "http://"])
def test_an_address_where_no_hub_can_be_is_refused(address: str) -> None:
    """Rather than being tried for ever."""
    with pytest.raises(ValidationError, match="the hub's URL, such as"):
        ServerSettings(hub=address)
    with pytest.raises(ValidationError, match="the hub's URL, such as"):
        ClientSettings(hub=address)


@pytest.mark.parametrize("address", ["", "https://hub.example.com", "rediss+sentinel://a,b/hub"])
def test_a_hub_is_found_by_its_url_or_that_of_its_redis(address: str) -> None:
    """Or there is none."""
    assert ServerSettings(hub=address).hub == address


@pytest.mark.parametrize("address", ["9000", ":9000", "app.sock", "host:http", "host:65536", ""])
def test_an_address_to_listen_on_is_a_port_with_its_host_or_a_path(address: str) -> None:
    """Said before anything is started."""
    with pytest.raises(ValidationError, match="write host:port"):
        ClientSettings(sockets=(address,))


@pytest.mark.parametrize(
    "url", ["nonsense", "://nonsense", "ftp://h/", "http:///path", "http://h:port", "http://[::1"]
)
@pytest.mark.parametrize("name", ["health_url", "servers"])
def test_an_address_that_cannot_be_asked_is_refused(name: str, url: str) -> None:
    """At once: later, a good version would be blamed for it."""
    with pytest.raises(ValidationError):
        ClientSettings.model_validate({name: url if name == "health_url" else [url]})


def test_a_server_is_spelled_in_one_way() -> None:
    """What it says of its artifacts is compared with it."""
    settings = ClientSettings(servers=("HTTP://Host.Example:80/Path/", "http://h/.well-known"))
    assert settings.servers == ("http://host.example:80/Path", "http://h/.well-known")
    assert ClientSettings(health_url="http://Me:Word@H/").health_url == "http://Me:Word@H/"
    for dots in ("/a/../b", "/%2e%2e", "/./b"):
        with pytest.raises(ValidationError, match="no dots"):
            ClientSettings(servers=(f"http://h{dots}",))
