"""The example of a package with an adapter, installed and used as the guide says."""

import hmac
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from directcd.demo.world import free_ports
from tests.support.commands import started

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/adapter"
GUIDE = ROOT / "docs/how-to/write-an-adapter.md"
CONFIG = """
[hub]
listen = "127.0.0.1:{port}"
data = "{data}"
[hub.sources.main]
provider = "acmeforge"
secrets = ["s3cr3t"]
"""
PUSH = {
    "project": {"path": "acme/app", "clone": "https://acmeforge.example/acme/app.git"},
    "updates": [
        {"ref": "refs/heads/main", "old": "a" * 40, "new": "b" * 40},
        {"ref": "refs/tags/v1", "old": "0" * 40, "new": "b" * 40},
    ],
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the installed package and nothing else."""
    directory = tmp_path_factory.mktemp("adapter")
    pip = ["python3", "-m", "pip", "--python", sys.executable, "install", "-qq", "--no-index"]
    flags = ["--disable-pip-version-check", "--no-build-isolation", "--no-deps"]
    command = [*pip, *flags, "--target", str(directory), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


def post(url: str, secret: str) -> tuple[int, dict[str, Any]]:
    """Deliver the push as Acmeforge would; the hub's answer."""
    body = json.dumps(PUSH).encode()
    headers = {
        "Content-Type": "application/json",
        "X-Acmeforge-Event": "push",
        "X-Acmeforge-Delivery": "d-1",
        "X-Acmeforge-Signature": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
    }
    try:
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - our own loopback URL
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_the_hub_takes_deliveries_of_an_installed_adapter(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed ones are accepted and told apart by ref; a wrong signature is refused."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    [port] = free_ports(1)
    config = tmp_path / "directcd.toml"
    config.write_text(CONFIG.format(port=port, data=tmp_path / "hub"))
    command = [sys.executable, "-m", "directcd", "hub", "-c", str(config)]
    with started(command, "listening") as process:
        url = f"http://127.0.0.1:{port}/webhooks/acmeforge/main"
        status, answer = post(url, "s3cr3t")
        assert (status, answer["verdict"]) == (202, "no-match")
        assert "acmeforge.example/acme/app" in json.dumps(answer)
        status, answer = post(url, "another")
        assert (status, answer["code"]) == (401, "bad-signature")
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("name", ["directcd_acmeforge/__init__.py", "pyproject.toml"])
def test_the_guide_shows_the_example(name: str) -> None:
    """Word for word, so that what people copy is what is tested."""
    blocks = re.findall(r"```\w+\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert (EXAMPLE / name).read_text(encoding="utf-8") in blocks
