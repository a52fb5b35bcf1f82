"""Every sample delivery means what its row of expected.jsonl says."""

from dataclasses import asdict

import pytest

from adapters import BadSignature, parse, repository_keys, verify
from tests.support.samples import Sample, all_samples, rows

PAIRS = rows("identity_pairs.jsonl")

each_sample = pytest.mark.parametrize("sample", all_samples(), ids=lambda s: s.row["id"])
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p['a']} {p['b']}")


@each_sample
def test_sample_verifies_exactly_when_it_was_signed(sample: Sample) -> None:
    """What a holder of the secret signed passes; tampered and unsigned deliveries do not."""
    signed = sample.row["secret"] is not None and not sample.row["signature_must_fail"]
    try:
        verify(sample.provider, sample.headers, sample.body, sample.secrets, query=sample.query)
    except BadSignature:
        assert not signed
    else:
        assert signed


@each_sample
def test_sample_means_what_its_row_says(sample: Sample) -> None:
    """Kind, verdict, counts and paths agree with the independently derived row."""
    outcome = parse(sample.provider, sample.headers, sample.body, query=sample.query)
    for name in ("kind", "notify", "test", "event", "commits_listed", "commits_total", "truncated"):
        assert getattr(outcome, name) == sample.row[name], name
    assert outcome.paths == frozenset(sample.row["paths"] or ())
    assert outcome.former_name == sample.row.get("former_name", "")
    assert outcome.reason.endswith(".")
    if "delivery_id" in sample.row:
        assert outcome.delivery_id == sample.row["delivery_id"]
    else:
        assert outcome.delivery_id in sample.headers.values()


@each_sample
def test_sample_names_its_repository_and_changes(sample: Sample) -> None:
    """Repository keys and URLs, refs and hashes agree with the row."""
    outcome = parse(sample.provider, sample.headers, sample.body, query=sample.query)
    expected = sample.row["repo"]
    if expected is None:
        assert outcome.repository is None
    else:
        assert outcome.repository is not None
        found = asdict(outcome.repository)
        assert found | {"keys": sorted(outcome.repository.keys)} == expected
    assert [asdict(change) for change in outcome.changes] == sample.row["changes"]


@each_sample
def test_header_names_are_read_in_any_case(sample: Sample) -> None:
    """A server that lower-cases or upper-cases names changes nothing."""
    lower = {name.lower(): value for name, value in sample.headers.items()}
    upper = {name.upper(): value for name, value in sample.headers.items()}
    outcomes = {
        parse(sample.provider, headers, sample.body, query=sample.query)
        for headers in (lower, upper)
    }
    assert len(outcomes) == 1


@each_pair
def test_pair_of_urls_has_these_keys(pair: dict[str, str]) -> None:
    """Each URL of the table has exactly the keys the table gives."""
    assert repository_keys(pair["a"]) == set(pair["keys_a"])
    assert repository_keys(pair["b"] or "") == set(pair.get("keys_b", ()))


@each_pair
def test_pair_of_urls_meets_when_it_is_one_repository(pair: dict[str, str]) -> None:
    """Two URLs name one repository when their keys meet, and only then."""
    met = not repository_keys(pair["a"]).isdisjoint(repository_keys(pair["b"] or ""))
    assert met == bool(pair["same"])
