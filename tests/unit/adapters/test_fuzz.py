"""Sixty thousand hostile deliveries, and that they differ; `scripts/bench fuzz` has a million."""

from collections import Counter
from typing import get_args

from adapters import Kind
from tests.support.fuzzing import Fuzzer
from tests.support.judging import answers
from tests.support.samples import PROVIDERS

SEED, COUNT = 20_251_009, 60_000
REACHED = [
    "verified",
    "Header X-Hub-Signature-256 does not match",
    "Header X-Hub-Signature does not match",
    "Header X-Gitea-Signature is malformed",
    "Header X-Forgejo-Signature is missing or empty",
    "Header X-Gogs-Signature is missing or empty",
    "Header X-Gitlab-Token does not match",
    "Header X-Signature does not match",
    "Header Authorization does not match",
    "Header Authorization is missing or malformed",
    "Header Webhook-Signature does not match",
    "Header Webhook-Id is missing or empty",
    "Header Webhook-Timestamp is malformed",
    "Header Webhook-Timestamp is more than 300 s away",
    "Header X-Event-Key, the name of the event, is",
    "Header X-Gitlab-Event, the name of the event, is",
    "The delivery is neither JSON nor a form.",
    "The delivery has no payload",
    "The payload does not fit: JSON is malformed:",
    "The payload does not fit: Input data was",
    "The payload does not fit: 'utf-8' codec can't",
    "The payload does not fit: maximum recursion depth",
    "The payload does not fit: Number out of",
    "The payload does not fit: Integer value out",
    "The payload does not fit: Object missing required",
    "The payload does not fit: Expected `object`, got",
    "The payload does not fit: Expected `str`, got",
    "The payload does not fit: Expected `str` of",
    "The payload does not fit: Expected `int` >=",
    "The payload's field ref is not the name",
    "The payload's field eventType is no name.",
    "The payload's ref_type is neither branch nor tag.",
    "A hash in the payload is not 40",
    "The payload names no repository and ref.",
    "The payload does not say which refs changed.",
]


def test_hostile_deliveries_are_answered() -> None:
    """No foreign exception; outcomes that hold the contract; every kind of answer was given."""
    fuzzer = Fuzzer(SEED)
    seen, understood = Counter[str](), Counter[str]()
    for index in range(COUNT):
        hostile = fuzzer.delivery(index)
        try:
            verified, parsed = answers(hostile)
        except Exception as error:
            error.add_note(f"{hostile.provider}: answers(Fuzzer({SEED}).delivery({index}))")
            raise
        seen.update((verified, parsed))
        understood[hostile.provider] += parsed in get_args(Kind)
    assert not {*REACHED, *get_args(Kind)} - set(seen)
    assert seen["The payload does not fit: JSON is malformed:"] < COUNT / 4
    assert seen["verified"] > COUNT / 10
    assert min(understood[name] for name in PROVIDERS) > COUNT / 100


def test_a_delivery_is_made_again_by_its_number() -> None:
    """What a failure prints is enough to look at it, whatever was made before."""
    first, second = Fuzzer(7), Fuzzer(7)
    expected = [first.delivery(index) for index in range(100)]
    assert [second.delivery(index) for index in reversed(range(100))] == expected[::-1]
    assert Fuzzer(8).delivery(0) != expected[0]
