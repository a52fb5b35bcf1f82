"""
Eight faults, planted one by one: the dashboard alone tells the cause of each.

From the overview it takes one click to the next step; the cause stands on the overview itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from directcd.demo.world import fetch, free_ports
from tests.browser.pushing import Delivering
from tests.support.commands import started
from tests.support.forges import gitea, hint
from tests.support.redis_servers import RedisServer, single

PATIENCE_MS = 20_000
COMMIT = "a" * 40
CRASHING = "#!/bin/sh\necho no database, giving up >&2\nexit 7\n"
BROKEN = "#!/bin/sh\necho 'shop.c:7: error: no such field' >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def _patient() -> None:
    """Some of them are only seen after a failed attempt."""
    expect.set_options(timeout=PATIENCE_MS)


def look_into(page: Page, cause: str) -> None:
    """Find a cause on the overview, and follow its link."""
    page.goto("/")
    item = page.locator(".attention li", has_text=cause).first
    expect(item).to_be_visible()
    item.get_by_role("link").click()


def test_a_wrong_secret(page: Page, world: Delivering) -> None:
    """The forge signs with another one than the source has."""
    post = world.pushed(COMMIT)
    forged = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    world.deliver("/webhooks/github/main", post.body, post.headers | forged)
    look_into(page, "X-Hub-Signature-256 does not match")
    expect(page.locator("#next")).to_contain_text("secret")


def test_a_branch_that_nobody_follows(page: Page, world: Delivering) -> None:
    """It was pushed to another one than the target names."""
    post = world.pushed(COMMIT, "refs/heads/feature")
    world.deliver("/webhooks/github/main", post.body, post.headers)
    look_into(page, "wants ref refs/heads/main, not refs/heads/feature")
    expect(page.locator("#next")).to_contain_text('ref = "refs/heads/feature"')


def test_a_form_where_json_is_wanted(page: Page, world: Delivering) -> None:
    """The content type is set to a form, without the field that forges put their JSON in."""
    post = hint(b"a secret of the script source")
    form = post.headers | {"Content-Type": "application/x-www-form-urlencoded"}
    world.deliver("/webhooks/generic/script", post.body, form)
    look_into(page, "/webhooks/generic/script")
    expect(page.locator("h1")).to_contain_text("no payload")
    expect(page.locator("#next")).to_contain_text("Content-Type: application/json")


def test_an_unreachable_repository(page: Page, world: Delivering) -> None:
    """The target `ghost` names one that is not there."""
    look_into(page, "ghost: fetching failed")
    expect(page.locator("main pre")).to_contain_text("acme/ghost.git")


def test_a_build_that_fails(page: Page, world: Delivering) -> None:
    """The compiler says where."""
    world.commit_files({"build.sh": BROKEN}, "does not compile")
    world.push()
    look_into(page, "shop.c:7: error: no such field")
    expect(page.locator("main pre")).to_contain_text("shop.c:7: error: no such field")
    page.get_by_role("link", name="The build's log").click()
    expect(page.locator("#first-error")).to_contain_text("shop.c:7: error: no such field")


def test_a_program_that_crashes_at_its_start(page: Page, world: Delivering) -> None:
    """The old one runs on; how the new one ended is told."""
    build = f"#!/bin/sh\nmkdir -p out\ncat > out/greeter <<'E'\n{CRASHING}E\n"
    world.commit_files({"build.sh": f"{build}chmod +x out/greeter\necho out/greeter\n"}, "crashes")
    world.push()
    look_into(page, "status 7")
    expect(page.locator("table")).to_contain_text("quarantined")
    expect(page.locator("main pre")).to_contain_text("is not started again")
    expect(page.locator("#next")).to_contain_text("push a commit that mends it")


def test_a_hook_that_points_at_the_wrong_source(page: Page, world: Delivering) -> None:
    """A Gitea that posts to the GitHub source; and one that posts to a name nobody has."""
    post = gitea(world.repository_url, "0" * 40, COMMIT, world.secret)
    world.deliver("/webhooks/github/main", post.body, post.headers)
    look_into(page, "A delivery of gitea to /webhooks/github/main was refused: ")
    expect(page.locator("#next")).to_contain_text("a source of gitea")
    world.deliver("/webhooks/gitea/typo", post.body, post.headers)
    look_into(page, "no source answers at /webhooks/gitea/typo")
    expect(page.locator("#next")).to_contain_text("/webhooks/github/main")
    page.get_by_role("link", name="Setup").first.click()
    expect(page.locator("[data-copy]").first).to_contain_text("/webhooks/github/main")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that can go away."""
    with single(tmp_path) as found:
        yield found


def test_a_redis_that_is_away(
    page: Page, world: Delivering, redis: RedisServer, tmp_path: Path
) -> None:
    """The pages are there all the same, and say so; deliveries are taken meanwhile."""
    [port] = free_ports(1)
    file = tmp_path / "directcd.toml"
    file.write_text(
        f'[hub]\nlisten = "127.0.0.1:{port}"\ndata = "{tmp_path}/hub"\nredis = "{redis.url}"\n'
    )
    with started([*world.command("hub"), "--config", str(file)], "listening"):
        address = f"http://127.0.0.1:{port}"
        world.wait_for("the hub", lambda: b"ok" in fetch(f"{address}/readyz"))
        redis.kill()
        world.wait_for("its trouble", lambda: b"degraded" in fetch(f"{address}/readyz"))
        page.goto(f"{address}/")
        item = page.locator(".attention li", has_text="log is not well")
        expect(item).to_contain_text("Redis")
        item.get_by_role("link").click()
        expect(page.locator("main")).to_contain_text("taken on this hub's own disk")
        page.goto(f"{address}/deliveries")
        expect(page.locator("h1")).to_contain_text("Redis")
