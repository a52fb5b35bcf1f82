"""Whether something is to be said, after what was said before."""

import pytest

from hub.forges.values import CommitStatus, StatusState
from hub.statuses.jobs import Job
from hub.statuses.memory import Said
from hub.statuses.places import Spot
from hub.statuses.sending import pause_seconds
from hub.statuses.wording import When

SPOT = Spot("main", "acme/shop", "c" * 40)


def job(when: When, state: StatusState = "success", text: str = "built v-1", url: str = "") -> Job:
    """A status."""
    return Job("status", "shop", SPOT, CommitStatus("directcd/shop", state, text, url), when)


@pytest.mark.parametrize(
    ("when", "before", "is_news"),
    [
        ("always", "", True),
        ("always", "pending", True),
        ("always", "failure", True),
        ("always", "refused", True),
        ("to begin", "", True),
        ("to begin", "pending", True),
        ("to begin", "success", False),
        ("to begin", "failure", False),
        ("to begin", "ended", False),
        ("to end", "", False),
        ("to end", "pending", True),
        ("to end", "success", False),
        ("to end", "refused", False),
    ],
)
def test_what_was_final_is_not_begun_again_and_what_was_not_begun_not_ended(
    when: When, before: str, *, is_news: bool
) -> None:
    """A word that counts always replaces any other."""
    said = Said(before, "other") if before else None
    assert job(when).is_news(said) is is_news


def test_the_same_is_no_news_whatever_it_links_to() -> None:
    """Nor when the forge has refused it."""
    first, again = job("always", url="https://h/1"), job("always", url="https://h/2")
    assert not again.is_news(Said("success", first.digest))
    assert not again.is_news(Said("refused", first.digest))
    assert job("always", "pending").is_news(Said("success", first.digest))


def test_pauses_double_from_two_seconds_to_five_minutes() -> None:
    """However long a forge is away."""
    found = [pause_seconds(failures) for failures in (1, 2, 3, 8, 9, 1000)]
    assert found == [2, 4, 8, 256, 300, 300]
