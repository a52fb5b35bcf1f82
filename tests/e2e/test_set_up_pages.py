"""The pages that set a forge up, followed word for word, with a stand-in as the forge."""

from contextlib import closing
from pathlib import Path

import pytest

from directcd.demo.world import free_ports
from tests.support.forge_apis import FakeGitea, FakeGitHub, FakeGitLab
from tests.support.forge_apis.forge import FakeForge
from tests.support.forge_apis.subjects import COMMIT
from tests.support.pages.blocks import Block
from tests.support.pages.following import ROOT, Reader

FORGES: dict[str, tuple[type[FakeForge], str]] = {
    "github": (FakeGitHub, "https://github.com"),
    "gitea": (FakeGitea, "https://git.example.com"),
    "gitlab": (FakeGitLab, "https://gitlab.com"),
}
CLONE = """
git init --quiet --initial-branch=main shop
cd shop
git remote add origin {web}/acme/shop.git
echo 'case $1 in artifact) echo program ;; esac' > build.sh
mkdir .directcd
echo {token} > .directcd/forge-token
"""


@pytest.mark.parametrize("name", FORGES)
def test_a_webhook_is_registered_and_proven(tmp_path: Path, name: str) -> None:
    """From a clone to the first delivery; only the token, and who starts it, are not the page's."""
    kind, web = FORGES[name]
    [port] = free_ports(1)
    changes = {
        "8080": str(port),
        "https://hub.example.com": f"http://127.0.0.1:{port}",
        "directcd up": "cd ~/shop && directcd hub",  # what is built is nobody's concern here
    }
    with closing(kind(web)) as fake:
        fake.repository("acme/shop").refs["refs/heads/main"] = COMMIT
        asked = {"DIRECTCD_HUB__SOURCES__MAIN__API_URL": fake.url}
        with Reader(tmp_path, changes, asked) as reader:
            commands = CLONE.format(web=web, token=fake.token)
            reader.type(Block("before the page", "sh", commands, ()))
            reader.follow(ROOT / f"docs/how-to/set-up-{name}.md")
