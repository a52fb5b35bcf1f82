"""What people are told of a finished step: what happened, what goes on, what to do."""

import pytest

from cd4sources.reporting import StageReport
from directcd.pull.advice import Advice
from directcd.pull.sentences import Sentences, Told, doing
from directcd.pull.standing import Lasting, Standing
from tests.support.stages import BEGAN, OTHER, VERSION, failed, fetched, report

SHOP = "https://git.example.com/acme/shop.git"
LIB = "https://git.example.com/me/lib.git"
URLS = {"shop": SHOP, "lib": LIB, "here": "/srv/git/here"}
BROKEN = """go build ended with 1: main.go:5:2: undefined: foo; the whole log: /w/7.log
# example.com/shop

./main.go:5:2: undefined: foo"""


class Heard:
    """What is said of reports, one after the other."""

    def __init__(self, hub: str = "", *, verbose: bool = False) -> None:
        self.standing = Standing()
        self._sentences = Sentences(self.standing, Advice(hub, URLS), verbose=verbose)

    def of(self, one: StageReport) -> Told | None:
        """What is said of this one."""
        self.standing.ended(one)
        return self._sentences.of(one)

    def more(self, one: StageReport) -> tuple[str, ...]:
        """What is said below it."""
        told = self.of(one)
        assert told
        return told.more

    def text(self, one: StageReport) -> str:
        """Its line."""
        told = self.of(one)
        return f"{told.head} {told.text}" if told else ""


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (fetched("start"), "fetched shop 1a2b3c4d5e6f"),
        (fetched("push"), "fetched shop 1a2b3c4d5e6f  push"),
        (report("fetched", result="unchanged", reason="push"), "fetched nothing new  push"),
        (report("built"), f"built {VERSION}"),
        (report("running"), f"running {VERSION}"),
        (report("published"), ""),
        (report("downloaded"), ""),
        (report("notified"), ""),
        (report("built", result="unchanged"), ""),
        (report("built", result="unchanged", is_news=False), ""),
        (failed("built", "no", is_news=False), ""),
        (
            report("fetched", result="unchanged", reason="retry", message="again, after 4 s"),
            "fetched nothing new  retry  again, after 4 s",
        ),
        (report("published", message="again, after 4 s"), f"published {VERSION}  again, after 4 s"),
        (report("stopped", message=f"{OTHER} has ended"), ""),
        (failed("downloaded", "no room"), f"take failed {VERSION}  no room"),
    ],
)
def test_a_line_says_what_has_happened(one: StageReport, text: str) -> None:
    """Steps of a few milliseconds are told when they fail; what is no news is not."""
    assert Heard().text(one) == text


def test_whoever_wants_to_know_more_hears_of_every_step() -> None:
    """But not of looks that found nothing new."""
    heard = Heard(verbose=True)
    assert heard.text(report("published")) == f"published {VERSION}"
    assert heard.text(report("built", result="unchanged")) == f"built {VERSION}  there already"
    assert heard.text(report("stopped", message="it has ended")) == "stopped it has ended"
    assert heard.text(report("notified")) == "heard a push, from the hub"
    assert not heard.of(report("fetched", result="unchanged", is_news=False))


def test_a_failed_build_shows_the_first_error_then_where_the_rest_is() -> None:
    """And that the old version runs on."""
    heard = Heard()
    heard.of(report("running"))
    told = heard.of(failed("built", BROKEN, version=OTHER))
    assert told
    assert told.head == "build failed"
    assert told.text == f"{OTHER}  go build ended with 1: main.go:5:2: undefined: foo"
    log, *said, step = told.more
    assert log == "the whole log: /w/7.log"
    assert said == ["# example.com/shop", "./main.go:5:2: undefined: foo"]
    assert step.startswith(f"{VERSION} runs on; next: push another commit")


def test_a_failed_fetch_is_tried_again_and_says_so() -> None:
    """Nobody needs to do anything."""
    more = Heard().more(failed("fetched", "connection refused"))
    assert more == ("nothing runs yet; next: nothing, it is tried again",)


def test_a_roll_back_says_why_and_not_twice_which() -> None:
    """Its message says what runs on."""
    message = f"{OTHER} was rolled back: it ended with 1; {VERSION} runs on"
    one = failed("running", message, version=OTHER, result="rolled_back")
    assert Heard().text(one) == f"rolled back {OTHER}  it ended with 1; {VERSION} runs on"


def test_what_a_compiler_prints_commands_no_terminal() -> None:
    """Nor does it colour what stands behind it."""
    told = Heard().of(failed("built", "a\x1b[2Jb\rc\x1b[31m\n\x1b]0;title\x07d"))
    assert told
    assert "\x1b" not in told.text + "".join(told.more)


def test_a_push_that_nobody_announced_comes_with_the_next_step_once() -> None:
    """Without a hub: get one."""
    heard = Heard()
    heard.of(fetched("start"))
    assert heard.text(fetched()) == "fetched shop 1a2b3c4d5e6f  caught by poll"
    assert heard.more(fetched()) == ()
    heard = Heard()
    heard.of(fetched("start"))
    (step,) = heard.more(fetched())
    assert "--hub http://your-hub:8080" in step
    assert SHOP in step
    assert heard.more(report("fetched", reason="poll", commits=(("lib", "2" * 40),))) == ()


def test_with_a_hub_each_repository_needs_its_webhook() -> None:
    """The address is the hub's, without the password in it."""
    heard = Heard("http://me:secret@hub:8080/")
    heard.of(fetched("start"))
    both = report(
        "fetched", reason="poll", commits=(("shop", "1" * 40), ("lib", "2" * 40)), is_caught=True
    )
    (step,) = heard.more(fetched())
    assert step.startswith(f"no push of {SHOP} came from the hub: see that it runs, and ")
    assert step.endswith(" http://hub:8080/webhooks/PROVIDER/SOURCE")
    (step,) = heard.more(both)
    assert LIB in step


def test_a_hub_behind_redis_has_another_address() -> None:
    """That of its Redis is nobody's webhook."""
    assert (
        Advice("redis://:secret@redis:6379/0", URLS)
        .on(["shop"])[0]
        .endswith("http://your-hub:8080/webhooks/PROVIDER/SOURCE")
    )


def test_what_lasts_is_told_with_its_time() -> None:
    """As far as its version is known."""
    now = BEGAN.replace(second=7)
    assert doing(Lasting("built", None, BEGAN), now) == "building  2.0 s"
    assert doing(Lasting("running", VERSION, BEGAN), now) == f"starting {VERSION}  2.0 s"


def test_no_webhook_is_asked_for_that_cannot_be() -> None:
    """A repository on this machine has no forge."""
    assert Advice("", URLS).on(["here"]) == []
