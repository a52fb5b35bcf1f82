"""A world and a browser for each file."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.browsing import OPTIONS, chromium
from tests.browser.pushing import Delivering, delivering


@pytest.fixture(scope="module")
def world() -> Iterator[Delivering]:
    """Hub, server and client at work on a repository, with one version running."""
    with delivering() as found:
        yield found


@pytest.fixture(scope="module")
def browser(world: Delivering) -> Iterator[Browser]:
    """The Chromium of this machine; it goes before the world, which needs our event loop."""
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium on the PATH: apt-get install chromium")
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, headless=True, args=OPTIONS)
        yield launched
        launched.close()


@pytest.fixture
def page(world: Delivering, browser: Browser) -> Iterator[Page]:
    """An empty page of a visitor, at this world's hub; any error of a script fails the test."""
    context = browser.new_context(base_url=world.hub_url, viewport={"width": 1200, "height": 800})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    yield opened
    context.close()
    assert wrong == []
