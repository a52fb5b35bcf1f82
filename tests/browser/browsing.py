"""A browser's options, and what is asked of every page."""

import shutil
from pathlib import Path
from typing import Any, Literal

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
WIDE, PHONE = 1024, 390
Scheme = Literal["light", "dark"]
KINDS: tuple[tuple[Scheme, int], ...] = (("light", WIDE), ("dark", WIDE), ("light", PHONE))


def chromium() -> str | None:
    """Where the browser is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def violations(page: Page) -> list[str]:
    """What axe has to say against a page; the context must bypass the page's own policy."""
    if not page.evaluate("'axe' in window"):
        _let_in(page)
    found: dict[str, Any] = page.evaluate("axe.run()")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


def _let_in(page: Page) -> None:
    [axe] = Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")
    page.add_script_tag(path=axe)


def scrolls_sideways(page: Page) -> bool:
    """Whether a page is wider than its window."""
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide
