"""The Compose files and the Dockerfile, as far as they can be judged without an engine."""

import hashlib
import json
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

import directcd
from directcd.config import load
from directcd.serving import DRAIN_SECONDS
from tests.support.redis_logs import opened
from tests.support.redis_servers import RedisServer

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy/compose"
ROLES = (["hub"], ["server"], ["client"])
FILES = ("compose.yaml", "compose.redis.yaml")
BIN = Path(sys.executable).parent


class _Loader(yaml.SafeLoader):
    """Knows Compose's own tags, and leaves them out."""


def _untagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node)


_Loader.add_multi_constructor("!", _untagged)


def document(file: str) -> dict[str, Any]:
    """A file, as it is written."""
    found: dict[str, Any] = yaml.load((COMPOSE / file).read_text(), _Loader)  # noqa: S506 - a safe one
    return found


def services(file: str) -> dict[str, dict[str, Any]]:
    """Each service, with what it takes over from another file."""
    return {name: _extended(service) for name, service in document(file)["services"].items()}


def _extended(service: dict[str, Any]) -> dict[str, Any]:
    base = service.get("extends")
    return services(base["file"])[base["service"]] | service if base else service


@pytest.mark.parametrize("file", FILES)
def test_compose_understands_it(file: str, tmp_path: Path) -> None:
    """By the schema of the Compose specification, which knows no tags."""
    plain = tmp_path / "compose.json"
    plain.write_text(json.dumps(document(file)))
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_every_service_is_hardened(file: str) -> None:
    """Also one that is added."""
    for name, service in services(file).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service["user"].startswith(("0", "root")), name
        assert service.get("mem_limit") or service["restart"] == "no", name
        assert service.get("healthcheck") or service["restart"] == "no", name
        assert "privileged" not in service, name


@pytest.mark.parametrize("file", FILES)
def test_ports_are_for_this_machine_alone(file: str) -> None:
    """To expose one is a decision."""
    ports = [port for service in services(file).values() for port in service.get("ports", ())]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("file", FILES)
def test_the_version_is_this_ones(file: str) -> None:
    """What `scripts/build` tags."""
    images = {one["image"] for one in services(file).values() if "directcd" in one["image"]}
    assert images == {f"directcd:{directcd.__version__}", f"directcd:{directcd.__version__}-go"}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The directory as its reader has it after `./prepare`."""
    shutil.copytree(COMPOSE, tmp_path / "compose", ignore=shutil.ignore_patterns("secrets", ".env"))
    prepare(tmp_path / "compose")
    return tmp_path / "compose"


def prepare(directory: Path) -> dict[str, str]:
    """Run it; the variables that Compose then has."""
    subprocess.run([directory / "prepare"], check=True, capture_output=True)
    return dict(line.split("=", 1) for line in (directory / ".env").read_text().splitlines())


def test_what_is_prepared_is_right(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that only the directory keeps from others, and digests that fit."""
    variables = prepare(prepared)
    assert stat.S_IMODE((prepared / "secrets").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (prepared / "secrets").iterdir()}
    assert modes == {0o644}  # services read them, and who has made them may write them
    monkeypatch.setenv("DIRECTCD_HUB__TOKENS", variables["HUB_TOKENS"])
    monkeypatch.setenv("DIRECTCD_SERVER__TOKENS", variables["SERVER_TOKENS"])
    config = load(prepared / "directcd.toml")
    assert config.hub is not None
    digests = {token.name: token.sha256 for token in config.hub.tokens}
    assert digests == {
        name: hashlib.sha256((prepared / "secrets" / name).read_bytes()).hexdigest()
        for name in ("hub-server", "hub-client", "operator")
    }


def test_what_is_prepared_stays_and_one_secret_is_exchanged(prepared: Path) -> None:
    """What is made of it follows; other lines of .env are left alone."""
    with (prepared / ".env").open("a") as settings:
        settings.write("HUB_PORT=8090\n")
    files = {file: file.read_bytes() for file in (prepared / "secrets").iterdir()}
    first = prepare(prepared)
    assert {file: file.read_bytes() for file in (prepared / "secrets").iterdir()} == files
    (prepared / "secrets/redis-password").write_text("another")
    (prepared / "secrets/operator").write_text("dcd_another")
    second = prepare(prepared)
    digest = hashlib.sha256(b"another").hexdigest()
    assert f"user hub on #{digest} " in (prepared / "secrets/redis-users").read_text()
    assert hashlib.sha256(b"dcd_another").hexdigest() in second["HUB_TOKENS"]
    assert first["SERVER_TOKENS"] == second["SERVER_TOKENS"]
    assert second["HUB_PORT"] == "8090"


async def test_redis_is_set_up_as_a_log_needs_it(
    prepared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The hub's user is let in and misses nothing; what is answered is on disk."""
    text = (prepared / "redis/redis.conf").read_text()
    text = text.replace("/data", str(tmp_path)).replace("/run/secrets", f"{prepared}/secrets")
    server = RedisServer(tmp_path / "redis", config=text)
    try:
        url = (
            f"{server.url.replace('//', '//hub@')}?password_file={prepared}/secrets/redis-password"
        )
        async with opened(url) as log:
            assert await log.check() == ""
        assert [one for one in caplog.records if hasattr(one, "advice")] == []
        with server.client(username="probe", password="none") as probe:
            assert probe.ping()
            with pytest.raises(redis.ResponseError, match="no permissions"):
                probe.config_get("appendfsync")
        with pytest.raises(redis.AuthenticationError):
            server.do("GET", "x")
    finally:
        server.kill()
    assert "appendfsync always" in text


@pytest.mark.parametrize("file", FILES)
def test_a_stop_lasts_longer_than_draining(file: str) -> None:
    """Of hubs and servers; a client's program has its own time besides."""
    for name, service in services(file).items():
        if service.get("command") in ROLES:
            assert int(service["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 5, name


def test_the_configuration_names_secrets_that_are_mounted() -> None:
    """Each below /run/secrets, where the service that needs it has it."""
    text = (COMPOSE / "directcd.toml").read_text()
    tomllib.loads(text)
    named = set(re.findall(r"/run/secrets/([a-z-]+)", text))
    mounted = {
        one for service in services("compose.yaml").values() for one in service.get("secrets", ())
    }
    assert named <= mounted


def test_the_dockerfile_is_well_written() -> None:
    """By hadolint, with the exceptions of .hadolint.yaml."""
    done = subprocess.run(
        [BIN / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_image_is_built_of_what_is_locked() -> None:
    """Every installation of the Dockerfile asks for hashes, but for the wheel just made."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip [^&\n]*install[^&\n]*", text)
    assert len(installs) == 4
    assert [
        one for one in installs if "--require-hashes" not in one and "--no-deps" not in one
    ] == []
