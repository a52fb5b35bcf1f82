"""What the options of `directcd pull` mean, and how they are refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cd4sources.settings import RepositorySettings
from directcd.pull.arguments import Options, Pull, understood
from directcd.pull.errors import BadArguments

SHOP = "https://git.example.com/acme/shop.git"
LIB = "https://git.example.com/me/lib.git"


def pull(*repos: str, **options: Any) -> Pull:
    """What the options mean, with one repository unless some are given."""
    return understood(Options(repos=repos or (SHOP,), **options))


def refused(*repos: str, **options: Any) -> str:
    """Why they are not taken."""
    with pytest.raises(BadArguments) as raised:
        pull(*repos, **options)
    return str(raised.value)


def urls(value: Pull) -> list[str]:
    """The repositories' addresses, the built one first."""
    return [one.url.get_secret_value() for one in value.target.repositories]


def repositories(*repos: str, **options: Any) -> list[RepositorySettings]:
    """The repositories' settings."""
    return list(pull(*repos, **options).target.repositories)


def test_the_first_bare_repository_is_built() -> None:
    """Wherever it stands; the others keep their order."""
    replacements = ("example.com/x=https://h/x",)
    value = pull(f"example.com/lib={LIB}", SHOP, "https://h/tools", replacements=replacements)
    assert urls(value) == [SHOP, LIB, "https://h/tools", "https://h/x"]
    found = [one.replaces for one in value.target.repositories]
    assert found == ["", "example.com/lib", "", "example.com/x"]


def test_both_spellings_of_a_replacement_mean_the_same() -> None:
    """`--repo A=B` and `--replace A=B`."""
    assert pull(SHOP, f"a.b/c={LIB}").target == pull(SHOP, replacements=(f"a.b/c={LIB}",)).target


def test_something_must_be_built() -> None:
    """A replacement alone is replaced in nothing."""
    assert "write --repo URL" in refused(f"example.com/lib={LIB}")


def test_a_url_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else has a default, and lies below the current directory."""
    monkeypatch.chdir(tmp_path)
    value = pull()
    assert (value.target.name, value.target.output) == ("shop", "shop")
    assert value.server.data == tmp_path / ".directcd/shop/server"
    assert value.client.data == tmp_path / ".directcd/shop/client"
    assert (value.server.poll_interval_seconds, value.client.overlap) == (10.0, "auto")
    assert (value.client.target, value.target.repositories[0].ref) == ("shop", "")


def test_every_option_reaches_its_setting(tmp_path: Path) -> None:
    """As numbers, words and paths."""
    value = pull(
        output="App", branch="dev", interval="0.5", working_dir=str(tmp_path), hub="http://hub",
        build="make it", artifact="which 'one'", in_place=True, stop_signal="INT", args=("-h", ""),
        stop_timeout="1", settle="0", health_url="http://h/ok", health_cmd="sh -c 'exit 0'",
        overlap="no", sockets=("127.0.0.1:1", "/run/x.sock"),
    )  # fmt: skip
    target, server, client = value.target, value.server, value.client
    assert (target.name, target.output, target.repositories[0].ref) == (
        "app",
        "App",
        "refs/heads/dev",
    )
    assert (target.build, target.artifact, target.in_place) == ("make it", "which 'one'", True)
    assert (server.data, server.poll_interval_seconds) == (tmp_path / "server", 0.5)
    assert (client.data, server.hub, client.hub) == (
        tmp_path / "client",
        "http://hub",
        "http://hub",
    )
    assert (client.stop_signal, client.stop_timeout_seconds, client.settle_seconds) == ("INT", 1, 0)
    assert client.health_command == ("sh", "-c", "exit 0")
    assert client.health_url == "http://h/ok"
    assert (client.overlap, client.sockets) == (False, ("127.0.0.1:1", "/run/x.sock"))
    assert client.args == ("-h", "")


def test_what_is_told_reaches_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status file absolute, for nobody knows who changes directory."""
    monkeypatch.chdir(tmp_path)
    value = pull(once=True, dry_run=True, as_json=True, verbose=True, status_file="s.json")
    assert (value.once, value.dry_run, value.as_json, value.verbose) == (True, True, True, True)
    assert value.status_file == tmp_path / "s.json"


@pytest.mark.parametrize(
    ("output", "name"),
    [("./app", "app"), ("out.exe", "out.exe"), ("My_App+2", "my_app-2"), ("_x", "x"),
     ("_", "program"), ("a" * 80, "a" * 63)],
)  # fmt: skip
def test_the_targets_name_is_made_of_the_outputs(output: str, name: str) -> None:
    """As much of it as a target's may have."""
    value = pull(output=output)
    assert (value.target.output, value.target.name) == (output.removeprefix("./"), name)


@pytest.mark.parametrize("output", ["bin/app", "/usr/bin/app", "../app", "app/", "./bin/app"])
def test_an_output_is_no_path(tmp_path: Path, output: str) -> None:
    """Its place is said instead."""
    message = refused(output=output, working_dir=str(tmp_path))
    assert message.startswith("--output: a name without a directory, `-o app`")
    assert message.endswith(f"{tmp_path}/client/current/app")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output": ".."}, "--output: letters, digits"),
        ({"output": "-x"}, "--output: letters, digits"),
        ({"output": "record.json"}, "--output: this file stands beside"),
        ({"interval": "0"}, "--interval: Input should be greater than 0"),
        ({"interval": "nan"}, "--interval: Input should be greater than 0"),
        ({"interval": "soon"}, "--interval: seconds, such as 10"),
        ({"overlap": "maybe"}, "--overlap: auto, yes or no"),
        ({"stop_signal": "STOPP"}, "--stop-signal: no such signal"),
        ({"stop_timeout": "-1"}, "--stop-timeout: Input should be greater"),
        ({"settle": "x"}, "--settle: seconds, such as 10"),
        ({"health_url": "localhost"}, "--health-url: write a whole address"),
        ({"health_cmd": "sh -c 'x"}, "--health-cmd: No closing quotation"),
        ({"build": "'x"}, "--build: No closing quotation"),
        ({"artifact": "'x"}, "--artifact: No closing quotation"),
        ({"hub": "ftp://hub"}, "--hub: the hub's URL"),
        ({"sockets": ("9000",)}, "--socket: write host:port"),
        ({"branch": "a b"}, "--branch: 'a b' is not a ref"),
        ({"user": "me"}, "`--user` needs a `--password-file`"),
        ({"ssh_key_file": "key"}, "`--ssh-key-file` is for ssh urls"),
    ],
    ids=str,
)
def test_a_refusal_names_the_option(options: dict[str, Any], said: str) -> None:
    """And no setting, which nobody wrote; one sentence for one mistake."""
    message = refused(**options)
    assert message.startswith(said)
    assert ";" not in message or "name:" not in message


def test_a_password_file_goes_where_the_built_repository_is() -> None:
    """Not to another host, nor over another scheme or port, where others may listen."""
    others = [LIB, "https://other.example.com/a", "http://git.example.com/b",
              "https://git.example.com:8443/c", "https://own:pw@git.example.com/d"]  # fmt: skip
    found = repositories(SHOP, *others, user="me", password_file="token")
    assert [one.user for one in found] == ["me", "me", "", "", "", ""]
    assert [one.password_file is not None for one in found] == [True, True, *[False] * 4]


def test_a_repository_is_named_once() -> None:
    """The complaint does not speak of targets, which nobody has heard of here."""
    message = refused(SHOP, LIB, LIB)
    assert "beside the first" in message
    assert "target" not in message


def test_an_ssh_key_goes_where_the_built_repository_is() -> None:
    """In either spelling of an address."""
    others = ["ssh://git@git.example.com:2222/lib", "git@example.org:acme/b", SHOP]
    found = repositories("git@git.example.com:acme/app.git", *others, ssh_key_file="key")
    assert [one.ssh_key_file is not None for one in found] == [True, True, False, False]


def test_home_is_found_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell replaces the `~` behind an `=`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    value = pull(working_dir="~/w", status_file="~/s", password_file="~/p")
    assert value.server.data == tmp_path / "w/server"
    assert value.status_file == tmp_path / "s"
    assert value.target.repositories[0].password_file == tmp_path / "p"


def test_two_passwords_are_one_too_many() -> None:
    """Said in the options' names, without either."""
    message = refused("https://me:s3cr3t@git.example.com/x", password_file="token")
    assert message.endswith("has a password in its url and a `--password-file`; drop one")


def test_no_representation_shows_a_password() -> None:
    """A value may be logged by mistake."""
    repo, hub = "https://me:s3cr3t@git.example.com/x", "redis://:s3cr3t@h"
    options = Options(repos=(repo, f"a.b/c={repo}y"), replacements=(f"a.b/d={repo}z",), hub=hub)
    assert "s3cr3t" not in repr(options)
    assert "s3cr3t" not in repr(understood(options))


def test_nothing_heavy_is_imported() -> None:
    """Pulling idles for weeks: what it does not need must not lie in memory."""
    heavy = "{'fastapi', 'starlette', 'uvicorn', 'httpx', 'httpcore', 'pydantic_settings', 'hub'}"
    code = (
        "import sys, directcd.cli.pull; from directcd.pull.arguments import Options, understood\n"
        f"understood(Options(repos=({SHOP!r},))); print(*({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
