"""What strangers write into pushes, headers and reports is text on every page that shows it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.browsing import PHONE, scrolls_sideways
from tests.browser.pushing import Delivering

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'onfocus=alert(3) autofocus x='"
UNSEEN = "\x1b[31mred\x1b[0m\x1b]8;;http://evil.test\x07 \u202egnp.exe\u202c\u200b\u2066\x00"
LONG = "w" * 2_000
REF = '<script>alert(4)</script>"><img/src=x/onerror=alert(5)>\u202e' + "w" * 800  # as git allows
TARGET = f"odd/{XSS[:60]}\u202e"
ELEMENTS = (
    "main script, main img, main [onerror], main [onfocus], main [autofocus][x], main [style]"
)


@pytest.fixture(scope="module")
def odd(world: Delivering) -> Delivering:
    """Somebody with a token, and somebody with the secret, who wish no good."""
    now = datetime.now(UTC)
    report = {
        "target": TARGET,
        "version": "v-<u>1</u>",
        "stage": "built",
        "result": "failed",
        "started_at": (now - timedelta(seconds=1)).isoformat(),
        "ended_at": now.isoformat(),
        "traceparent": f"00-{'5' * 32}-{'6' * 16}-01",
        "message": XSS + UNSEEN + LONG,
        "reporter": XSS,
        "commits": [[XSS[:100], "7" * 40]],
    }
    httpx.post(f"{world.hub_url}/v1/reports", json=report).raise_for_status()
    post = world.pushed("8" * 40, f"refs/heads/{REF}", "https://git.test/acme/<b>odd</b>")
    answer = world.deliver("/webhooks/github/main", post.body, post.headers | {"X-Odd": XSS})
    assert answer.get("verdict") == "no-match", answer
    return world


def pages(world: Delivering) -> list[str]:
    """Where any of it is shown."""
    tabs = [f"{delivery(world)}?tab={tab}" for tab in ("why", "request", "response", "journey")]
    searches = [f"/deliveries?q={quote(XSS)}", f"/builds?target={quote(TARGET)}"]
    target = f"/targets/{quote(TARGET, safe='')}"
    return ["/", "/deliveries", "/health", f"/login?next={quote(XSS)}", target, *tabs, *searches]


def delivery(world: Delivering) -> str:
    """The page of what was delivered last."""
    return f"/deliveries/{world.hub('/v1/deliveries?limit=1')['deliveries'][0]['number']}"


def test_nothing_of_it_runs_or_makes_an_element(page: Page, odd: Delivering) -> None:
    """A dialog or an error of a script would fail the test, too; a phone need not scroll."""
    page.set_viewport_size({"width": PHONE, "height": 800})
    for path in pages(odd):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status < 400, path
        assert page.locator(ELEMENTS).count() == 0, path
        assert not scrolls_sideways(page), path


def test_what_a_reporter_hides_is_shown(page: Page, odd: Delivering) -> None:
    """The link from the overview leads to the target, whatever its name; its words are there."""
    page.goto("/")
    page.get_by_role("article").get_by_role("link", name="odd/").first.click()
    expect(page.locator("h1")).to_have_text(TARGET.replace("\u202e", "⟨U+202E⟩"))
    said = page.locator(".journey .said")
    expect(said).to_contain_text("<img src=x onerror=alert(2)>")
    expect(said).to_contain_text("⟨U+202E⟩gnp.exe⟨U+202C⟩⟨U+200B⟩⟨U+2066⟩⟨U+0000⟩")


def test_a_header_is_shown_as_it_came(page: Page, odd: Delivering) -> None:
    """Its value is text, and the page's own headings stay where they are."""
    page.goto(f"{delivery(odd)}?tab=request")
    expect(page.locator(".headers")).to_contain_text("<script>alert(1)</script>")
