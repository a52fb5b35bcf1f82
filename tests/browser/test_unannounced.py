"""A push whose delivery is missing: a world of its own, in which the poll is quick."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pushing import Delivering, delivering


@pytest.fixture(scope="module")
def world() -> Iterator[Delivering]:
    """Nobody tells this hub of a push."""
    with delivering(poll_interval_seconds=1.0) as found:
        (found.root / "git/acme/greeter.git/hooks/post-receive").unlink()
        yield found


def test_what_only_a_poll_has_found_says_why(page: Page, world: Delivering) -> None:
    """It is found, counted, and shown with the likeliest cause."""
    commit = world.change("unannounced")
    world.wait_until(commit, "running")
    page.goto("/")
    item = page.locator(".attention li", has_text="found by poll only")
    expect(item).to_contain_text("create the webhook")
    item.get_by_role("link").click()
    expect(page.locator("article", has_text=commit[:12])).to_contain_text("caught by poll")
