"""The directcd.toml that the chart writes, as the product itself reads it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.chart_values import CHART
from tests.support.charts import EXAMPLES, SECRETS, example, render, rendered

FILES = [
    (name, component)
    for name in EXAMPLES
    for component, _ in rendered(name).pods
    if component != "test"
]
DATA = "/var/lib/directcd"
HOW_TO = (CHART.parents[2] / "docs/how-to/run-on-kubernetes.md").read_text(encoding="utf-8")
WRITTEN = re.findall(r"^```yaml\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "component"), FILES)
def test_the_product_takes_what_the_chart_writes(name: str, component: str, tmp_path: Path) -> None:
    """With every file that it names."""
    file = tmp_path / "directcd.toml"
    text = rendered(name).toml(component)
    file.write_text(text.replace(SECRETS, f"{tmp_path}/secrets").replace(DATA, f"{tmp_path}/data"))
    write_secrets(file.read_text(), tmp_path)
    command = [sys.executable, "-m", "directcd", "config", "check", "--json", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (answer["valid"], done.returncode) == (True, 0), answer["findings"]
    assert component in answer["parts"]


def write_secrets(text: str, place: Path) -> None:
    """Whatever a configuration names, as a Secret's files would be."""
    for name in re.findall(rf"{place}/secrets/[^\"&]+", text):
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(signing_key() if "signing" in name else b"dcd_0123456789abcdef0123456789")


def signing_key() -> bytes:
    """A key as `directcd key new` makes it."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read(name: str, component: str) -> dict[str, Any]:
    """A component's settings."""
    return tomllib.loads(rendered(name).toml(component))


def test_parts_know_each_other_without_being_told() -> None:
    """By the names that Services have."""
    assert read("client", "hub")["hub"]["servers"] == {
        "server-0": {"url": "http://test-directcd-server-0.test-directcd-server:8081"}
    }
    assert read("client", "server")["server"]["hub"] == "http://test-directcd-hub:8080"
    client = read("client", "client")["client"]
    assert client["hub"] == "http://test-directcd-hub:8080"
    assert client["servers"] == ["http://test-directcd-server-0.test-directcd-server:8081"]


def test_a_client_is_told_of_no_credentials() -> None:
    """The server's target names a file with a password; a client asks no forge."""
    [server], [client] = (read("client", one)["target"] for one in ("server", "client"))
    assert "password_file" in server["repositories"][0]
    assert client["repositories"] == [{"url": "https://git.example.com/acme/shop.git"}]


def test_forges_are_told_the_address_that_the_ingress_has() -> None:
    """So nobody has to write it twice."""
    assert read("ingress", "hub")["hub"]["public_url"] == "https://hub.example.com"
    assert "public_url" not in read("embedded", "hub")["hub"]


def test_the_passwords_of_redis_are_files() -> None:
    """The URL names them."""
    assert read("redis", "hub")["hub"]["redis"] == (
        "redis+sentinel://hub@redis-0.redis:26379,redis-1.redis:26379/hub"
        "?password_file=/run/secrets/directcd/redis/password"
        "&sentinel_password_file=/run/secrets/directcd/redis/sentinel"
    )


def test_a_server_may_have_another_hub_or_none() -> None:
    """What values say goes before what follows from the release."""
    values = example("client")
    for hub in ("https://hub.example.com", ""):
        values["server"]["config"] = {"hub": hub}
        assert tomllib.loads(render(values).toml("server"))["server"]["hub"] == hub


@pytest.mark.parametrize("values", WRITTEN, ids=range(len(WRITTEN)))
def test_the_how_tos_values_can_be_installed(values: str) -> None:
    """Each block by itself."""
    found = render(yaml.safe_load(values))
    assert found.manifests
    for component, _ in found.pods:
        if component != "test":
            tomllib.loads(found.toml(component))
