"""The Compose files and the Dockerfile, as far as they can be judged without an engine."""

import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import directcd
from directcd.config import load

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy/compose"
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


def test_what_is_prepared_is_right_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets that only the directory keeps, digests that fit; a second time changes nothing."""
    for name in ("prepare", "directcd.toml", "redis", "proxy", "gitea", "greeter"):
        subprocess.run(["cp", "-r", COMPOSE / name, tmp_path], check=True)
    subprocess.run([tmp_path / "prepare"], check=True, capture_output=True)
    first = {file: file.read_bytes() for file in (tmp_path / "secrets").iterdir()}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    variables = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    subprocess.run([tmp_path / "prepare"], check=True, capture_output=True)
    assert {file: file.read_bytes() for file in (tmp_path / "secrets").iterdir()} == first
    monkeypatch.setenv("DIRECTCD_HUB__TOKENS", variables["HUB_TOKENS"])
    monkeypatch.setenv("DIRECTCD_SERVER__TOKENS", variables["SERVER_TOKENS"])
    config = load(tmp_path / "directcd.toml")
    assert config.hub is not None
    assert [token.name for token in config.hub.tokens] == ["hub-server", "hub-client", "operator"]


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
