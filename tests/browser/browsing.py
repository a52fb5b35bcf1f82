"""A browser's options, and what is asked of every page."""

import shutil
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, PHONE = 1200, 390


def chromium() -> str | None:
    """Where the browser is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def violations(page: Page) -> list[str]:
    """What axe has to say against a page; the context must bypass the page's own policy."""
    [axe] = Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")
    page.add_script_tag(path=axe)
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


def scrolls_sideways(page: Page) -> bool:
    """Whether a page is wider than its window."""
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide
