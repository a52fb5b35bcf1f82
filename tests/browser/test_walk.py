"""A push, followed with the eyes: live, explained, delivered again, failed, and mended."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pushing import Delivering

PATIENCE_MS = 15_000
STAGES = [
    "received",
    "stored",
    "notified",
    "fetched",
    "built",
    "published",
    "downloaded",
    "running",
    "stopped",
]
BROKEN = """\
#!/bin/sh
printf 'compiling 40 files\\n%.0s' $(seq 40)
printf '\\033[1;31mgreeter.c:3:7: error: expected expression\\033[0m\\nmake: *** [all] Error 1\\n'
exit 2
"""


@pytest.fixture(autouse=True)
def _patient(page: Page) -> None:
    """A push takes half a second, on a busy machine some more."""
    expect.set_options(timeout=PATIENCE_MS)


def test_a_push_appears_by_itself(page: Page, world: Delivering) -> None:
    """On the overview and on the timeline, without the page being loaded anew."""
    page.goto("/targets/greeter")
    expect(page.locator("#live")).to_be_visible()
    page.evaluate("window.loaded = 'once'")
    commit = world.change("live")
    card = page.locator("article", has_text=commit[:12])
    expect(card).to_contain_text("running")
    for stage in STAGES:  # in any order: a poll may have met the commit before its delivery came
        expect(card.locator("li .stage", has_text=stage)).to_have_count(1)
    assert page.evaluate("window.loaded") == "once"
    page.goto("/")
    expect(page.get_by_role("article").filter(has_text="greeter")).to_contain_text(commit[:12])


def test_an_open_filter_is_not_typed_over(page: Page, world: Delivering) -> None:
    """News wait for whoever is typing."""
    page.goto("/deliveries")
    expect(page.locator("#live")).to_be_visible()
    page.get_by_role("searchbox").fill("half a wo")
    world.deliver("/webhooks/github/main", *_parts(world, "1" * 40, "refs/heads/typing"))
    expect(page.locator("#news")).to_contain_text("New: deliveries")
    expect(page.get_by_role("searchbox")).to_have_value("half a wo")


def test_news_do_not_undo_a_click(page: Page, world: Delivering) -> None:
    """Between pressing and letting go nothing is exchanged; afterwards the news are shown."""
    page.goto("/")
    expect(page.locator("#live")).to_be_visible()
    link = page.get_by_role("article").get_by_role("link", name="greeter")
    link.hover()
    page.mouse.down()
    commit = world.change("while pressed")
    world.wait_until(commit, "running")
    expect(page.locator("#news")).to_contain_text("New: ")
    page.mouse.up()
    expect(page).to_have_url(re.compile("/targets/greeter$"))
    expect(page.locator("article", has_text=commit[:12])).to_contain_text("running")


def test_a_push_that_nobody_wants_says_what_failed(page: Page, world: Delivering) -> None:
    """What it wants, what this was, and a next step to copy."""
    world.deliver("/webhooks/github/main", *_parts(world, "2" * 40, "refs/heads/dev"))
    page.goto("/")
    item = page.locator(".attention li", has_text="dev")
    expect(item).to_contain_text("wants ref refs/heads/main, not refs/heads/dev")
    item.get_by_role("link").click()
    near = page.locator("tr.near")
    expect(near).to_contain_text("ref")
    expect(near).to_contain_text("refs/heads/main")
    expect(near).to_contain_text("refs/heads/dev")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("[data-copy]").first.inner_text()
    assert 'ref = "refs/heads/dev"' in copied


def test_a_delivery_is_delivered_again(page: Page, world: Delivering) -> None:
    """As a delivery of its own, whose way is shown."""
    commit = world.change("once more")
    world.wait_until(commit, "running")
    page.goto("/deliveries")
    page.locator("tbody tr", has_text=commit[:12]).get_by_role("link").first.click()
    first = page.url
    page.get_by_role("button", name="Redeliver").click()
    expect(page).not_to_have_url(first)
    expect(page.locator(".tabs [aria-current]")).to_have_text("Journey")
    expect(page.locator("li", has_text="notified")).to_have_count(1)
    expect(page.locator("li", has_text="built")).to_contain_text("unchanged")


def test_the_focus_stays_where_it_is(page: Page, world: Delivering) -> None:
    """Who reads by keyboard is not sent back to the top by news."""
    page.goto("/deliveries")
    expect(page.locator("#live")).to_be_visible()
    page.get_by_role("link", name="Refused").focus()
    world.deliver("/webhooks/github/main", *_parts(world, "3" * 40, "refs/heads/focus"))
    expect(page.locator("tbody tr", has_text="focus")).to_have_count(1)
    expect(page.get_by_role("link", name="Refused")).to_be_focused()


def test_a_failed_builds_log_opens_at_its_error(page: Page, world: Delivering) -> None:
    """Two clicks from the overview; the colours stay, and the next good push mends it."""
    world.commit_files({"build.sh": BROKEN}, "broken")
    world.push()
    page.goto("/")
    item = page.locator(".attention li", has_text="building failed")
    expect(item).to_contain_text("greeter.c:3:7: error: expected expression")
    item.get_by_role("link").click()
    page.get_by_role("link", name="The build's log").click()
    pinned = page.locator(".first-error")
    expect(pinned).to_contain_text("greeter.c:3:7: error: expected expression")
    wrong = page.locator("li.wrong")
    expect(wrong).to_be_in_viewport()
    page.keyboard.press("End")
    pinned.get_by_role("link").click()
    expect(wrong).to_be_in_viewport()
    expect(wrong.locator(".sgr-red.sgr-bold")).to_have_text(
        "greeter.c:3:7: error: expected expression"
    )
    commit = world.change("mended")
    world.wait_until(commit, "running")
    page.goto("/")
    expect(page.locator(".attention li", has_text="greeter: building")).to_have_count(0)


def test_a_log_is_read_while_it_is_written(page: Page, world: Delivering) -> None:
    """Line by line, as the build prints them; who is at its end stays there."""
    gate = world.root / "gate"
    slow = "#!/bin/sh\nset -eu\n[ $1 = artifact ] && echo greeter.py && exit\nseq 99\n"
    slow += f"echo first word\nwhile [ ! -e {gate} ]; do sleep 0.05; done\nseq 99\necho last word\n"
    world.commit_files({"build.sh": slow}, "slow")
    world.push()
    page.goto("/builds")
    row = page.locator("tbody tr", has_text="under way")
    expect(row).to_have_count(1)
    row.get_by_role("link").click()
    expect(page.locator(".log")).to_contain_text("first word")
    page.keyboard.press("End")
    expect(page.get_by_text("first word")).to_be_in_viewport()
    gate.touch()
    expect(page.get_by_text("last word")).to_be_in_viewport()


def _parts(world: Delivering, commit: str, ref: str) -> tuple[bytes, dict[str, str]]:
    post = world.pushed(commit, ref)
    return post.body, post.headers
