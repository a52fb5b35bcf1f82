"""Every page, for every reader: sighted or not, wide or narrow, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import KINDS, scrolls_sideways, violations
from tests.browser.pushing import Delivering

HOSTILE = '<script>alert(1)</script>\u202egnp.exe\u200b"><img/src=x/onerror=alert(2)>'

PAGES = [
    "/",
    "/targets/greeter",
    "/targets/ghost",
    "/deliveries",
    "/deliveries?q=nothing",
    "/deliveries/1",
    "/deliveries/1?tab=request",
    "/deliveries/1?tab=response",
    "/deliveries/1?tab=journey",
    "/refusals",
    "/subscribers",
    "/builds",
    "/setup",
    "/health",
    "/login",
    "/no-such-page",
]

COLOURFUL = """\
#!/bin/sh
for one in 1 2 30 31 32 33 34 35 36 37 90 97; do printf "\\033[${one}mcolour $one\\033[0m\\n"; done
for one in 1 31 32 33 34 35 36; do printf "\\033[${one}ma.c:3:1: error: %0999d\\033[0m" 1; done
exit 2
"""


@pytest.fixture(scope="module")
def shown(world: Delivering) -> Delivering:
    """Something on every page, some of it by somebody who wishes no good."""
    commit = world.change("Hello again")
    world.wait_until(commit, "running")
    world.wait_for("the unreachable target", lambda: world.state("ghost").get("last_failure"))
    hostile = world.pushed("d" * 40, f"refs/heads/{HOSTILE}", "https://git.test/acme/odd.git")
    world.deliver("/webhooks/github/main", hostile.body, hostile.headers | {"X-Odd": "<b>odd</b>"})
    forged = world.pushed("e" * 40)
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "User-Agent": "<i>nobody</i>"}
    world.deliver("/webhooks/github/main", forged.body, forged.headers | wrong)
    world.wait_for("the refusal", lambda: world.hub("/v1/refusals")["refusals"])
    return world


@pytest.fixture(scope="module")
def looked_at(browser: Browser, shown: Delivering) -> Iterator[Page]:
    """A window that lets axe in, which the pages' own policy would not."""
    context = browser.new_context(base_url=shown.hub_url, bypass_csp=True, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_for_everybody(looked_at: Page, path: str) -> None:
    """No accessibility violation, and no sideways scroll: light, dark, and on a phone."""
    looked_at.goto(path)
    examine(looked_at)


def examine(page: Page) -> None:
    """Ask axe in each kind of window."""
    for scheme, width in KINDS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        assert (scheme, width, violations(page)) == (scheme, width, [])
        assert not scrolls_sideways(page)


def test_every_page_can_be_read_without_javascript(browser: Browser, shown: Delivering) -> None:
    """And has a heading, a title and its place in the menu."""
    context = browser.new_context(base_url=shown.hub_url, java_script_enabled=False)
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        expect(page.locator("h1")).to_have_count(1)
        assert " · directcd" in page.title()
    page.goto("/deliveries")
    page.get_by_role("searchbox").fill("refs/heads/main")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).not_to_have_count(0)
    context.close()


def test_the_keyboard_is_enough(page: Page, shown: Delivering) -> None:
    """The first key leads past the menu; what has the focus is seen."""
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_strangers_text_is_text(page: Page, shown: Delivering) -> None:
    """Nothing of it runs, and nothing of it is hidden; the page fails the test if a script ran."""
    for path in ("/", "/deliveries", "/setup", "/health"):
        page.goto(path)
        assert page.locator("main img, main script, main b, main i").count() == 0
    page.goto("/deliveries")
    row = page.locator("tbody tr", has_text="git.test").first
    expect(row).to_contain_text("<script>alert(1)</script>⟨U+202E⟩gnp.exe⟨U+200B⟩")
    row.get_by_role("link").first.click()
    page.get_by_role("link", name="Request", exact=True).click()
    expect(page.locator("main")).to_contain_text("<b>odd</b>")
    assert page.locator("main b").count() == 0


def test_the_policy_lets_nothing_in(page: Page, shown: Delivering) -> None:
    """No script but ours, no frame around us, and nothing is kept in a cache."""
    answer = page.goto("/")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    ran = page.evaluate(
        "new Promise(done => { const made = document.createElement('script');"
        " made.textContent = 'window.ran = true'; document.body.append(made);"
        " setTimeout(() => done(window.ran === true), 100) })"
    )
    assert ran is False


def test_bars_add_up(page: Page, shown: Delivering) -> None:
    """Each bar begins and ends where its numbers say; the last one ends at the total."""
    page.goto("/targets/greeter")
    for number in range(page.locator(".journey").count()):
        figure = page.locator(".journey").nth(number)
        bars = figure.locator("rect").evaluate_all(
            "all => all.map(one => [+one.getAttribute('x'), +one.getAttribute('width')])"
        )
        told = figure.locator("li").evaluate_all(
            "all => all.map(one => [+one.dataset.started, +one.dataset.ended])"
        )
        total = max(ended for _, ended in told)
        assert len(bars) == len(told)
        for (x, width), (started, ended) in zip(bars, told, strict=True):
            assert x == pytest.approx(min(started / total * 1000, 996), abs=0.1)
            assert width == pytest.approx(max((ended - started) / total * 1000, 4), abs=0.1)


def test_a_badge_is_an_image(page: Page, shown: Delivering) -> None:
    """For a README elsewhere: it names target and state."""
    answer = page.goto("/badges/greeter.svg")
    assert answer is not None
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "greeter: running" in answer.text()
    assert answer.status == 200


def test_a_log_of_many_colours_is_for_everybody(looked_at: Page, shown: Delivering) -> None:
    """Each can be read, also on the line that is marked; a long word stays inside."""
    shown.commit_files({"build.sh": COLOURFUL}, "colourful")
    shown.push()
    shown.wait_for("the failure", lambda: shown.state().get("last_failure"))
    looked_at.goto("/builds")
    looked_at.locator("tbody tr", has_text="failed").get_by_role("link").click()
    expect(looked_at.locator("li.wrong")).to_contain_text("a.c:3:1: error:")
    examine(looked_at)
