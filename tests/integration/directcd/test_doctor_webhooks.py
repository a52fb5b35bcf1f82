"""`directcd doctor` asks forges whether their webhooks call this hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from directcd.doctor.examining import examined
from directcd.doctor.findings import Finding
from tests.support.forge_apis.forge import FakeForge, FakeHook
from tests.support.forge_apis.subjects import fake_of

HUB = "http://127.0.0.1:8080"

pytestmark = pytest.mark.anyio


@pytest.fixture
async def forge() -> AsyncIterator[FakeForge]:
    """A Gitea with one repository."""
    with fake_of("gitea") as fake:
        fake.repository("acme/shop")
        yield fake


def _file(place: Path, forge: FakeForge, more: str = "") -> Path:
    file = place / "directcd.toml"
    file.write_text(
        f"""
        [hub]
        data = "{place}/hub"
        public_url = "{HUB}"
        [hub.sources.main]
        provider = "gitea"
        secrets = ["0b7d5e0c9f414f6fa5b5cbd0b3e1a1c2"]
        api_token = "{forge.token}"
        api_url = "{forge.url}"
        {more}
        [[target]]
        name = "shop"
        repositories = [{{ url = "{forge.web_url}/acme/shop.git" }}]
        """
    )
    return file


async def _found(file: Path) -> list[Finding]:
    found = await examined(file)
    return [one for one in found if one.where.endswith("hub.sources.main")]


def _base(forge: FakeForge) -> str:
    return f'base_url = "{forge.web_url}"'


async def test_a_missing_webhook_is_a_warning_with_the_command(
    forge: FakeForge, tmp_path: Path
) -> None:
    found = await _found(_file(tmp_path, forge, _base(forge)))
    [warning] = [one for one in found if "no webhook of acme/shop" in one.what]
    assert warning.next == "directcd hook create acme/shop --source main"


async def test_what_is_wrong_with_a_webhook_is_said(forge: FakeForge, tmp_path: Path) -> None:
    url = f"{HUB}/webhooks/gitea/main"
    forge.hooks.append(FakeHook(1, "acme/shop", url, "s", ["push"], active=False))
    found = await _found(_file(tmp_path, forge, _base(forge)))
    [warning] = [one for one in found if "the webhook of acme/shop" in one.what]
    assert "inactive" in warning.what
    assert "delete" in warning.what


async def test_an_organisations_webhook_will_do(forge: FakeForge, tmp_path: Path) -> None:
    url = f"{HUB}/webhooks/gitea/main"
    forge.hooks.append(FakeHook(1, "acme", url, "s", ["push", "delete"]))
    found = await _found(_file(tmp_path, forge, _base(forge)))
    assert any("has a webhook that calls this hub" in one.what for one in found)


async def test_a_token_that_is_not_valid_is_a_problem(forge: FakeForge, tmp_path: Path) -> None:
    file = _file(tmp_path, forge, _base(forge))
    forge.token = "another"
    found = await _found(file)
    assert [one.severity for one in found if "401" in one.what] == ["problem"]


async def test_a_token_of_fewer_rights_is_no_problem(forge: FakeForge, tmp_path: Path) -> None:
    forge.is_allowed = False
    found = await _found(_file(tmp_path, forge, _base(forge)))
    assert not [one for one in found if one.severity == "problem"]
    assert any("may not see webhooks" in one.what for one in found)


async def test_a_token_of_nobody_knows_which_forge_is_a_warning(
    forge: FakeForge, tmp_path: Path
) -> None:
    found = await _found(_file(tmp_path, forge))
    assert any("base_url" in one.next for one in found)
