"""
Pictures of every page for docs/screenshots: `python -m tests.browser.screenshots`.

Light and dark at a desk, and light on a phone, of a world in which something has gone wrong.
"""

from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.browsing import OPTIONS, PHONE, WIDE, chromium
from tests.browser.pushing import Delivering, delivering
from tests.browser.test_walk import BROKEN

PLACE = Path("docs/screenshots")
KINDS = (("light", WIDE, "light"), ("dark", WIDE, "dark"), ("light", PHONE, "phone"))


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
    [build] = [one for one in world.builds() if one["state"] == "failed"]
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
        "refused": f"/refusals/{refusal['number']}",
        "subscribers": "/subscribers",
        "builds": "/builds",
        "build-log": f"/builds/{build['server']}/{build['id']}",
        "setup": "/setup",
        "health": "/health",
    }


def _take(browser: Browser, world: Delivering, pages: dict[str, str]) -> None:
    for scheme, width, kind in KINDS:
        context = browser.new_context(
            base_url=world.hub_url,
            viewport={"width": width, "height": 700},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        for name, path in pages.items():
            page.goto(path)
            page.screenshot(path=PLACE / f"{name}-{kind}.png")
        context.close()


def main() -> None:
    """Take all of them."""
    PLACE.mkdir(exist_ok=True)
    with delivering() as world:
        pages = _stage(world)
        with sync_playwright() as playwright:
            path = chromium()
            browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
            _take(browser, world, pages)
            browser.close()


if __name__ == "__main__":
    main()
