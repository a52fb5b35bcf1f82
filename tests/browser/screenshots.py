"""
Takes pictures of every page: `python -m tests.browser.screenshots [DIRECTORY]`.

Without an argument they go to docs/screenshots, for the documents and for whoever changes a page.
"""

import sys
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

from tests.browser.browsing import KINDS, OPTIONS, chromium
from tests.browser.pushing import Delivering, delivering

PLACE = Path("docs/screenshots")
TALLEST = 900  # pixels: what comes below is more of the same
NAMES = ("light", "dark", "phone")
GREY = "--disable-lcd-text"  # smaller files, and no colours at the edges of letters
BROKEN = """\
#!/bin/sh
echo 'cc -O2 -c greeter.c'
printf '\\033[1mgreeter.c:3:7: \\033[31merror:\\033[0m expected expression\\n'
printf '\\033[33mgreeter.c:9:1: warning: unused variable\\033[0m\\nmake: *** [all] Error 1\\n'
exit 2
"""


def main() -> None:
    """Make a world with something on every page, and take the pictures."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    place.mkdir(parents=True, exist_ok=True)
    path = chromium()
    if path is None:
        sys.exit("no chromium on the PATH: apt-get install chromium")
    with delivering() as world:
        pages = _pages(world)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, GREY])
            page = browser.new_page(base_url=world.hub_url, reduced_motion="reduce")
            for name, address in pages.items():
                page.goto(address)
                _take(page, place / name)
            page.goto("/builds")
            page.locator("tbody tr", has_text="failed").first.get_by_role("link").click()
            page.locator(".first-error").wait_for()
            _take(page, place / "build")
            browser.close()


def _pages(world: Delivering) -> dict[str, str]:
    """What happened before the pictures; their names and where they are taken."""
    for word in ("Hello again", "Good evening"):
        world.wait_until(world.change(word), "running")
    journey = world.hub("/v1/deliveries?limit=1")["deliveries"][0]["number"]
    unwanted = world.pushed("4f" * 20, "refs/heads/release")
    world.deliver("/webhooks/github/main", unwanted.body, unwanted.headers)
    why = world.hub("/v1/deliveries?limit=1")["deliveries"][0]["number"]
    forged = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    world.deliver("/webhooks/github/main", unwanted.body, unwanted.headers | forged)
    [refusal] = world.wait_for("the refusal", lambda: world.hub("/v1/refusals")["refusals"])
    world.commit_files({"build.sh": BROKEN}, "does not compile")
    world.push()
    world.wait_for("the failure", lambda: world.state().get("last_failure"))
    world.wait_for("the unreachable target", lambda: world.state("ghost").get("last_failure"))
    return {
        "overview": "/",
        "target": "/targets/greeter",
        "deliveries": "/deliveries",
        "delivery-why": f"/deliveries/{why}",
        "delivery-request": f"/deliveries/{journey}?tab=request",
        "delivery-response": f"/deliveries/{why}?tab=response",
        "delivery-journey": f"/deliveries/{journey}?tab=journey",
        "refused": "/refusals",
        "refusal": f"/refusals/{refusal['number']}",
        "subscribers": "/subscribers",
        "builds": "/builds",
        "setup": "/setup",
        "health": "/health",
        "login": "/login",
    }


def _take(page: Page, path: Path) -> None:
    for name, (scheme, width) in zip(NAMES, KINDS, strict=True):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 400})
        height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height}
        page.screenshot(path=f"{path}-{name}.png", full_page=True, clip=clip)


if __name__ == "__main__":
    main()
