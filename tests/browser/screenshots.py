"""
Pictures of every page for docs/screenshots: `python -m tests.browser.screenshots`.

Light and dark at a desk, and light on a phone, of a world in which something has gone wrong.
"""

import json
from pathlib import Path

from playwright.sync_api import FloatRect, Page, sync_playwright

from directcd.demo.world import fetch
from directcd.embedded import OWN_SERVER
from tests.browser.browsing import KINDS, OPTIONS, chromium
from tests.browser.pushing import Delivering, delivering
from tests.browser.test_walk import BROKEN

PLACE = Path("docs/screenshots")
NAMES = ("light", "dark", "phone")
LOWEST, TALLEST = 400, 800  # pixels: what comes below is more of the same


def _stage(world: Delivering) -> dict[str, str]:
    """Let things happen, good and bad; the pages to take, by the names of their pictures."""
    for message in ("Hello again", "Hello once more", "Hello, faster"):
        world.wait_until(world.change(message), "running")
    other = world.pushed("2" * 40, "refs/heads/dev")
    world.deliver("/webhooks/github/main", other.body, other.headers)
    forged = world.pushed("3" * 40)
    wrong = forged.headers | {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    world.deliver("/webhooks/github/main", forged.body, wrong)
    world.commit_files({"build.sh": BROKEN}, "broken")
    world.push()
    world.wait_for("the failure", lambda: world.state().get("last_failure"))
    builds = json.loads(fetch(f"http://127.0.0.1:{world.server_port}/v1/builds"))["builds"]
    [build] = [one["id"] for one in builds if one["state"] == "failed"]
    [refusal] = world.wait_for("the refusal", lambda: world.hub("/v1/refusals")["refusals"])
    deliveries = world.hub("/v1/deliveries")["deliveries"]
    [missed] = [one["number"] for one in deliveries if one["verdict"] == "no-match"]
    good = [one["number"] for one in deliveries if one["verdict"] == "matched"][-1]
    return {
        "overview": "/",
        "timeline": "/targets/greeter",
        "deliveries": "/deliveries",
        "why": f"/deliveries/{missed}",
        "request": f"/deliveries/{good}?tab=request",
        "response": f"/deliveries/{good}?tab=response",
        "journey": f"/deliveries/{good}?tab=journey",
        "refusals": "/refusals",
        "refused": f"/refusals/{refusal['number']}",
        "subscribers": "/subscribers",
        "builds": "/builds",
        "build-log": f"/builds/{OWN_SERVER}/{build}",
        "setup": "/setup",
        "health": "/health",
        "login": "/login",
    }


def _take(page: Page, name: str) -> None:
    for kind, (scheme, width) in zip(NAMES, KINDS, strict=True):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": LOWEST})
        height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": height}
        page.screenshot(path=PLACE / f"{name}-{kind}.png", full_page=True, clip=clip)


def main() -> None:
    """Take all of them."""
    PLACE.mkdir(exist_ok=True)
    with delivering() as world:
        pages = _stage(world)
        with sync_playwright() as playwright:
            options = [*OPTIONS, "--disable-lcd-text"]  # whose coloured edges make files larger
            browser = playwright.chromium.launch(executable_path=chromium(), args=options)
            page = browser.new_page(base_url=world.hub_url, reduced_motion="reduce")
            for name, path in pages.items():
                page.goto(path)
                _take(page, name)
            browser.close()


if __name__ == "__main__":
    main()
