"""`directcd hook url`, `list`, `test`, `repair` and `delete`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.hooking import SECRET_FILE, Scene, running, scene

SECRET = "webhook-secret-5b1d"


async def test_the_url_is_printed_without_a_token(tmp_path: Path) -> None:
    """Alone when a source is named."""
    async with scene(tmp_path, "gitlab") as here:
        (tmp_path / "forge-token").unlink()
        assert (await here.run("url")).stdout == f"main  {here.url}\n"
        assert (await here.run("url", "--source", "main")).stdout == f"{here.url}\n"
        [told] = await here.told("url")
        assert told == {"source": "main", "provider": "gitlab", "url": here.url}


async def test_a_list_shows_what_is_wrong_with_ours_and_no_secret_of_others(
    tmp_path: Path,
) -> None:
    """A chat's webhook is its own secret."""
    async with scene(tmp_path, "gitea") as here:
        broken(here)
        here.add_hook(url="https://chat.example.com/hooks/T0/xyzzy-4711?key=plugh")
        here.add_hook(url=here.url.replace("/main", "/gone"))
        found = await here.told("list")
        assert [one["ours"] for one in found] == [True, True, False, False]
        assert found[0]["wrong"] == [
            "inactive: it calls nothing",
            "sends a form instead of JSON",
            "is not told of delete, push",
            "leaves out all branches but release/*",
        ]
        assert found[1]["wrong"] == [f"a duplicate of webhook {found[0]['id']}"]
        assert found[2]["url"] == "https://chat.example.com/…"
        assert found[3]["wrong"] == ["calls another source of this hub: gitea/gone"]
        text = (await here.run("list")).stdout
        assert "xyzzy" not in text
        assert "leaves out all branches but release/*" in text


def broken(here: Scene) -> list[Any]:
    """A webhook with which everything is wrong, and a second one."""
    here.write(SECRET_FILE, SECRET)
    first = here.add_hook(
        active=False, content_type="form", events=["issues"], branch_filter="release/*"
    )
    return [first, here.add_hook()]


@pytest.mark.parametrize("secret", [SECRET, "another"], ids=["same secret", "another secret"])
async def test_a_repair_leaves_one_hook_that_is_proven(tmp_path: Path, secret: str) -> None:
    """Whatever was wrong with it."""
    async with running(tmp_path, "gitea") as here:
        first, _ = broken(here)
        first.secret = secret
        told = await here.told("repair")
        assert [one["did"] for one in told][1:] == ["removed"]
        assert told[0]["proven"], told
        assert here.hook.secret == SECRET
        assert (here.hook.active, here.hook.content_type) == (True, "json")
        assert here.hook.branch_filter in {"", "*"}
        assert {"push", "delete"} <= {*here.hook.events}


async def test_a_repair_makes_nothing_where_nothing_is(tmp_path: Path) -> None:
    """What to do instead is said."""
    async with running(tmp_path, "gitea") as here:
        done = await here.run("repair")
        assert done.returncode == 1
        assert "next: `directcd hook create`" in done.stderr


@pytest.mark.parametrize("provider", ["github", "gitea", "gitlab"])
async def test_a_test_proves_and_changes_nothing(tmp_path: Path, provider: str) -> None:
    """Also when the secret is another: that is said."""
    async with running(tmp_path, provider) as here:
        here.write(SECRET_FILE, SECRET)
        here.add_hook()
        done = await here.run("test")
        assert done.returncode == 0, done.stderr
        here.hook.secret = "another"
        done = await here.run("test")
        assert done.returncode == 1
        assert "the hub refused it with 401" in done.stderr
        assert here.hook.secret == "another"
        writing = [path for method, path in here.forge.requests if method != "GET"]
        assert all(path.endswith(("/pings", "/tests", "/push_events")) for path in writing)


async def test_a_test_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    """It fails."""
    async with running(tmp_path, "github") as here:
        done = await here.run("test")
        assert done.returncode == 1
        assert "no webhook there calls this URL" in done.stderr


async def test_ours_are_removed_and_once_more_is_no_error(tmp_path: Path) -> None:
    """Others stay, unless they are named by their number."""
    async with scene(tmp_path, "gitea") as here:
        ours = [here.add_hook(), here.add_hook()]
        other = here.add_hook(url="https://ci.example.com/hook")
        assert [one["did"] for one in await here.told("delete", "--dry-run")] == [
            "would be removed"
        ] * 2
        assert len(here.forge.hooks) == 3
        assert [one["id"] for one in await here.told("delete")] == [one.id for one in ours]
        done = await here.run("delete")
        assert done.returncode == 0
        assert "nothing to remove" in done.stderr
        assert here.hook is other
        [told] = await here.told("delete", "acme/shop", "--id", str(other.id))
        assert (told["did"], here.forge.hooks) == ("removed", [])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"active": False}, "inactive"),
        ({"branch_filter": "release/*"}, "leaves out all branches"),
        ({"events": ["issues"]}, "is not told of delete, push"),
    ],
)
async def test_a_test_that_comes_does_not_hide_that_pushes_would_not(
    tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    """Forges deliver tests of inactive webhooks, too."""
    async with running(tmp_path, "gitea") as here:
        here.write(SECRET_FILE, SECRET)
        here.add_hook(**changes)
        done = await here.run("test")
        assert done.returncode == 1
        assert fault in done.stderr
        assert "directcd hook repair" in done.stderr


async def test_a_forge_that_says_no_has_not_said_that_there_is_nothing(tmp_path: Path) -> None:
    """And to programs it is no webhook."""
    async with scene(tmp_path, "gitea") as here:
        here.forge.token = "another"
        done = await here.run("list")
        assert done.returncode == 4
        assert "no webhooks" not in done.stdout
        document = json.loads((await here.run("list", "--json")).stdout)
        assert document["webhooks"] == []
        assert "401" in document["troubles"][0]["reason"]


async def test_of_two_sources_of_one_forge_the_named_one_is_meant(tmp_path: Path) -> None:
    """Also where no repository is named."""
    async with scene(tmp_path, "gitea") as here:
        file = here.place / "directcd.toml"
        table = f"""
            [hub.sources.second]
            provider = "gitea"
            base_url = "{here.forge.web_url}"
            api_url = "{here.forge.url}"
            api_token_file = "forge-token"
            secrets = ["{SECRET}"]
            """
        file.write_text(f"{file.read_text()}\n{table}")
        done = await here.run("create", "--source", "second", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "would be created" in done.stderr
