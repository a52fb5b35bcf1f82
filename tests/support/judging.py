"""What an adapter may answer to a hostile delivery, in few words; anything else is a failure."""

import re

import msgspec

from adapters import (
    AdapterError,
    BadSignature,
    MalformedDelivery,
    Outcome,
    RefChange,
    Repository,
    UnsupportedContentType,
)
from adapters.registry import find
from tests.support.fuzzing import Hostile

MAX_DETAIL_CHARACTERS = 400
MAX_NUMBER = 2**63 - 1
MAX_TEXT_CHARACTERS = 2100  # a full name of two texts, or a URL made of one
WORDS = 8

_HASH = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = re.compile("[ -~]{1,200}")
_REF = re.compile("refs/[^\x00-\x20\x7f~^:?*\\[\\\\\ud800-\udfff]{1,1024}")


def answers(hostile: Hostile) -> tuple[str, str]:
    """
    Verify and parse a delivery; return how each went.

    Raises:
        AssertionError: an answer that the contract forbids.
        Exception: a foreign one.
    """
    adapter = find(hostile.provider)
    try:
        index = adapter.verify(hostile.request, hostile.secrets)
        assert hostile.secrets[index]
        verified = "verified"
    except BadSignature as error:
        verified = _words(error)
    try:
        outcome = adapter.parse(hostile.request)
    except (MalformedDelivery, UnsupportedContentType) as error:
        return verified, _words(error)
    assert_sound(outcome)
    return verified, outcome.kind


def assert_sound(outcome: Outcome) -> None:
    """Fail unless logs, answers and other programs can take every value of an outcome."""
    assert _NAME.fullmatch(outcome.event), outcome.event
    assert not outcome.delivery_id or _NAME.fullmatch(outcome.delivery_id), outcome.delivery_id
    for count in (outcome.commits_listed, outcome.commits_total):
        assert count is None or 0 <= count <= MAX_NUMBER, "a count out of range"
    for change in outcome.changes:
        _assert_sound_change(change)
    if outcome.repository:
        _assert_sound_repository(outcome.repository)
    # As strict as json.dumps(…, ensure_ascii=False).encode(), and ten times as fast.
    assert msgspec.json.encode(outcome)


def _assert_sound_change(change: RefChange) -> None:
    assert _REF.fullmatch(change.ref), change.ref
    assert change.ref.endswith(change.name)
    assert not (change.created and change.deleted)
    for value in (change.before, change.after, change.commit):
        assert value is None or _HASH.fullmatch(value), value


def _assert_sound_repository(repository: Repository) -> None:
    texts = (repository.full_name, repository.clone_url, repository.ssh_url, repository.html_url)
    assert max(map(len, texts)) <= MAX_TEXT_CHARACTERS
    number = repository.id
    assert not isinstance(number, int) or 0 <= number <= MAX_NUMBER
    assert all("/" in key and key == key.lower() for key in repository.keys)


def _words(error: AdapterError) -> str:
    """The first words of a refusal: its kind, without what differs from delivery to delivery."""
    assert error.code
    assert error.next_step
    assert len(error.detail) <= MAX_DETAIL_CHARACTERS, error.detail[:MAX_DETAIL_CHARACTERS]
    assert str(error).encode()
    return " ".join(error.detail.partition(";")[0].split(" ", WORDS)[:WORDS])
