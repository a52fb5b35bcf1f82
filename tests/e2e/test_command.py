"""The command line from outside: what it says and with which code it ends."""

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from directcd.cli import COMMANDS
from directcd.demo.world import free_ports
from tests.support.commands import started, terminate
from tests.support.deliveries import A, B
from tests.support.forges import gitea

HUB = """
[hub]
listen = "127.0.0.1:{port}"
data = "{data}"
[hub.sources.main]
provider = "{provider}"
secrets = ["hunter2"]
"""


def directcd(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    command = [sys.executable, "-m", "directcd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)


def write(directory: Path, provider: str = "github") -> Path:
    """A configuration with a hub."""
    [port] = free_ports(1)
    file = directory / "directcd.toml"
    file.write_text(HUB.format(port=port, data=directory / "hub", provider=provider))
    return file


def test_the_version_answers_at_once() -> None:
    """Nothing heavy is imported for it."""
    code = (
        "import sys, directcd.cli as c, contextlib\n"
        "with contextlib.suppress(SystemExit): c.command.main(['--version'])\n"
        "print(*sorted({'fastapi', 'pydantic', 'httpx', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"directcd \d+\.\d+\.\d+\n\n", done.stdout)


def test_help_lists_every_command() -> None:
    """And each command has a help of its own."""
    text = directcd("--help").stdout
    for name in COMMANDS:
        assert name in text
        assert directcd(name, "--help").returncode == 0


def test_an_unknown_command_is_a_usage_error() -> None:
    """Code 2, like every command line."""
    assert directcd("nonsense").returncode == 2


def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    """No traceback; what to do."""
    done = directcd("up", "-c", tmp_path / "none.toml")
    assert done.returncode == 2
    assert re.fullmatch(
        r"directcd: .*no such file; give one with -c FILE, .* `directcd init`\n", done.stderr
    )


def test_an_unknown_provider_is_found_by_config_check(tmp_path: Path) -> None:
    """Without starting anything; the known ones are named, the secret is not."""
    done = directcd("config", "check", "-c", write(tmp_path, "githib"))
    assert done.returncode == 2
    assert "github" in done.stderr
    assert "hunter2" not in done.stderr


def test_flags_of_the_hub_come_before_the_file(tmp_path: Path) -> None:
    """It listens and writes where they say, with the file's sources."""
    file, data = write(tmp_path), tmp_path / "elsewhere"
    [port] = free_ports(1)
    flags = ["--listen", f"127.0.0.1:{port}", "--data", str(data)]
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file), *flags]
    with started(command, "listening") as process:
        sources = httpx.get(f"http://127.0.0.1:{port}/v1/sources").json()["sources"]
        assert terminate(process) == 0
    assert [source["name"] for source in sources] == ["main"]
    assert (data / "log.sqlite3").exists()
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cr3t@localhost",
        "rediss://hub:s3cr3t@localhost",
        "redis+sentinel://localhost/hub?sentinel_password=s3cr3t",
    ],
)
def test_a_password_is_refused_on_the_command_line(tmp_path: Path, url: str) -> None:
    """The message does not repeat it."""
    done = directcd("hub", "-c", write(tmp_path), "--redis", url)
    assert done.returncode == 2
    assert "DIRECTCD_HUB__REDIS" in done.stderr
    assert "s3cr3t" not in done.stderr


def test_a_second_hub_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """One sentence and code 1, while the first goes on."""
    file = write(tmp_path)
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    with started(command, "listening"):
        [port] = free_ports(1)
        file.write_text(re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{port}", file.read_text()))
        second = directcd("hub", "-c", file)
    assert second.returncode == 1
    assert "in use by another hub" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_source_of_the_environment_takes_deliveries_and_remembers_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of its secrets verifies; which one did is known after a restart, too."""
    file = write(tmp_path)
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__TEA__PROVIDER", "gitea")
    monkeypatch.setenv("DIRECTCD_HUB__SOURCES__TEA__SECRETS", '["new", "old"]')
    [address] = re.findall(r"127.0.0.1:\d+", file.read_text())
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(file)]
    delivery = gitea("https://git.example.com/acme/shop", A, B, b"old")
    with started(command, "listening") as process:
        url = f"http://{address}/webhooks/gitea/tea"
        answer = httpx.post(url, content=delivery.body, headers=delivery.headers)
        assert answer.status_code == 202
        before = httpx.get(f"http://{address}/v1/sources").json()
        assert terminate(process) == 0
    with started(command, "listening"):
        after = httpx.get(f"http://{address}/v1/sources").json()
    assert before == after
    assert [source["name"] for source in after["sources"]] == ["main", "tea"]
    assert [secret["deliveries"] for secret in after["sources"][1]["secrets"]] == [0, 1]


def test_everything_in_one_process_starts_and_stops(tmp_path: Path) -> None:
    """`up` runs hub, server and client of one file, and SIGTERM ends all within seconds."""
    hub, server = free_ports(2)
    file = tmp_path / "directcd.toml"
    file.write_text(f"""
[hub]
listen = "127.0.0.1:{hub}"
data = "{tmp_path}/hub"
[server]
listen = "127.0.0.1:{server}"
data = "{tmp_path}/server"
[[target]]
name = "shop"
repositories = [{{ url = "{tmp_path}/none.git" }}]
[client]
servers = ["http://127.0.0.1:{server}"]
data = "{tmp_path}/client"
""")
    command = [sys.executable, "-m", "directcd", "up", "-c", str(file)]
    with started(command, "subscribed") as process:
        asked = time.monotonic()
        assert terminate(process) == 0
        assert time.monotonic() - asked < 9  # uvicorn alone would wait for ten
