"""Refs, hashes, events and content types that samples do not cover."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from adapters import MalformedDelivery, UnsupportedContentType, parse
from tests.support.samples import sample
from tests.unit.adapters.deliveries import github

PUSH: dict[str, Any] = json.loads(sample("handmade/github/push-branch").body)
CREATE: dict[str, Any] = json.loads(sample("handmade/github/create-tag").body)
FORBIDDEN_REFS = [
    "",
    "refs/",
    "refs/heads/",
    "refs/heads/a b",
    "refs/heads/a\x00",
    "refs/heads/a\n",
    "refs/heads/a..b",
    "refs/heads/a.lock",
    "refs/heads/a.lock/b",
    "refs/heads/a/",
    "refs/heads//a",
    "refs/heads/.a",
    "refs/heads/a.",
    "refs/heads/a@{1}",
    *(f"refs/heads/a{character}" for character in "~^:?*[\\"),
    "refs/heads/" + "a" * 1024,
]
ALLOWED_REFS = {
    "main": ("refs/heads/main", "branch", "main"),
    "refs/heads/a-b/c.d_é": ("refs/heads/a-b/c.d_é", "branch", "a-b/c.d_é"),
    "refs/tags/v1@2": ("refs/tags/v1@2", "tag", "v1@2"),
    "refs/heads/-a": ("refs/heads/-a", "branch", "-a"),  # git push takes it, git branch does not
    "refs/for/main": ("refs/for/main", "other", "for/main"),
    "refs/heads": ("refs/heads", "other", "heads"),
}
BAD_HASHES = ["", "0", "g" * 40, "A" * 40, "a" * 41, "a" * 63, "a" * 40 + "\n", " " + "a" * 39]


@pytest.mark.parametrize("ref", FORBIDDEN_REFS, ids=lambda ref: ascii(ref)[:30])
def test_ref_that_git_refuses_is_malformed(ref: str) -> None:
    """No ref gets through that git itself would not have."""
    with pytest.raises(MalformedDelivery, match="ref"):
        parse("github", *github({**PUSH, "ref": ref}))


@pytest.mark.parametrize(("ref", "expected"), ALLOWED_REFS.items(), ids=list(ALLOWED_REFS))
def test_ref_is_full_typed_and_named(ref: str, expected: tuple[str, str, str]) -> None:
    """A ref is made full; its type and short name follow from it."""
    change = parse("github", *github({**PUSH, "ref": ref})).changes[0]
    assert (change.ref, change.ref_type, change.name) == expected


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("value", BAD_HASHES, ids=ascii)
def test_hash_that_git_does_not_write_is_malformed(side: str, value: str) -> None:
    """A hash is 40 or 64 lower-case hexadecimal digits."""
    with pytest.raises(MalformedDelivery, match="hash"):
        parse("github", *github({**PUSH, side: value}))


@pytest.mark.parametrize("length", [40, 64])
def test_zero_hash_is_none(length: int) -> None:
    """All zeros stand for a ref that is not there, in both of git's formats."""
    payload = {**PUSH, "before": "0" * length, "after": "a" * length}
    change = parse("github", *github(payload)).changes[0]
    assert (change.before, change.after, change.created) == (None, "a" * length, True)


def test_unknown_ref_type_is_malformed() -> None:
    """Only branches and tags are created and deleted by name."""
    with pytest.raises(MalformedDelivery, match="ref_type"):
        parse("github", *github({**CREATE, "ref_type": "repository"}, "create"))


@pytest.mark.parametrize("missing", ["ref", "before", "after", "repository"])
def test_push_without_an_essential_field_names_it(missing: str) -> None:
    """The message says which field is wrong."""
    payload = {name: value for name, value in PUSH.items() if name != missing}
    with pytest.raises(MalformedDelivery, match=f"`{missing}`"):
        parse("github", *github(payload))


@pytest.mark.parametrize("event", ["", "é", "x" * 201, "a\nb"], ids=ascii)
def test_event_must_have_a_name(event: str) -> None:
    """An event's name is printable ASCII of bounded length."""
    with pytest.raises(MalformedDelivery, match="X-Github-Event"):
        parse("github", *github(PUSH, event))


@pytest.mark.parametrize("value", ["", "é", "x" * 201, "a\nb"], ids=ascii)
def test_unfit_delivery_id_is_left_out(value: str) -> None:
    """An id that cannot be shown does not stop the delivery."""
    headers, body = github(PUSH)
    assert not parse("github", headers | {"x-github-delivery": value}, body).delivery_id


@pytest.mark.parametrize("value", ["", "text/plain", "application/jsonx"], ids=repr)
def test_other_content_types_are_unsupported(value: str) -> None:
    """Only JSON and forms are read."""
    headers, body = github(PUSH)
    with pytest.raises(UnsupportedContentType):
        parse("github", headers | {"content-type": value}, body)


def test_content_type_may_have_case_and_parameters() -> None:
    """A media type is compared without case and parameters."""
    headers, body = github(PUSH)
    headers["content-type"] = "Application/JSON ; charset=utf-8"
    assert parse("github", headers, body).kind == "push"


@pytest.mark.parametrize("provider", ["github", "gitea"])
def test_request_without_payload_suggests_a_redirect(provider: str) -> None:
    """A redirect turns a delivery into an empty GET."""
    with pytest.raises(MalformedDelivery, match=r"0 bytes.*redirect"):
        parse(provider, {f"x-{provider}-event": "push"}, b"", query="x=1")


def test_a_payload_of_countless_objects_is_not_read() -> None:
    """Three bytes on the wire would be some seventy in memory."""
    headers, _ = github(PUSH)
    body = b'{"commits":[' + b"{}," * 250_000 + b"{}]}"
    with pytest.raises(MalformedDelivery, match="more than 250000 objects"):
        parse("github", headers, body)


def test_a_branch_has_no_commit_of_its_own() -> None:
    """Only a tag's object is something else than what it points to."""
    payload = {**PUSH, "head_commit": {"id": "c" * 40}}
    assert parse("github", *github(payload)).changes[0].commit is None
    tag = parse("github", *github({**payload, "ref": "refs/tags/v1"})).changes[0]
    assert tag.commit == "c" * 40


def test_one_commit_is_not_given_to_several_tags() -> None:
    """Bitbucket Server tells one, and not whose it is."""
    one = sample("handmade/bitbucket_server/push-with-commits")
    document = json.loads(one.body)
    change = {"fromHash": "0" * 40, "toHash": "a" * 40}
    tags = [{**change, "ref": {"id": f"refs/tags/{name}"}} for name in ("v1", "v2")]
    for changes, commit in ((tags[:1], document["toCommit"]["id"]), (tags, None)):
        body = json.dumps({**document, "changes": changes}).encode()
        outcome = parse("bitbucket_server", one.headers, body)
        assert {change.commit for change in outcome.changes} == {commit}


def test_a_ref_that_did_not_move_makes_no_test_of_those_that_did() -> None:
    """Bitbucket Server reports them together."""
    one = sample("handmade/bitbucket_server/push-with-commits")
    still = {"ref": {"id": "refs/heads/a"}, "fromHash": "a" * 40, "toHash": "a" * 40}
    moved = {"ref": {"id": "refs/heads/b"}, "fromHash": "a" * 40, "toHash": "b" * 40}
    for changes, kind in (([still], "test"), ([still, moved], "push")):
        body = json.dumps({**json.loads(one.body), "changes": changes}).encode()
        outcome = parse("bitbucket_server", one.headers, body)
        assert (outcome.kind, outcome.notify) == (kind, True)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("0", "0", ("test", False, False, False)),
        ("0", "", ("push", True, True, False)),
        ("", "0", ("push", True, False, True)),
        ("0", "a", ("push", True, True, False)),
        ("a", "0", ("push", True, False, True)),
        ("a", "a", ("test", True, False, False)),
        ("", "", ("push", True, False, False)),
    ],
)
def test_a_hint_says_created_or_deleted_by_zeros(
    before: str, after: str, expected: tuple[str, bool, bool, bool]
) -> None:
    """What is not said is neither; zeros on both sides change nothing."""
    document = {"repository": "https://git.example.com/a/b", "ref": "main"}
    document |= {name: h * 40 for name, h in (("before", before), ("after", after)) if h}
    headers = {"content-type": "application/json"}
    outcome = parse("generic", headers, json.dumps(document).encode())
    [change] = outcome.changes
    assert (outcome.kind, outcome.notify, change.created, change.deleted) == expected


def test_a_form_without_the_field_is_told_so() -> None:
    """Curl sends JSON as a form unless it is told otherwise; nothing was redirected."""
    headers = {"content-type": "application/x-www-form-urlencoded", "x-github-event": "push"}
    with pytest.raises(MalformedDelivery, match="Send Content-Type: application/json"):
        parse("github", headers, b'{"ref":"main"}')


def test_a_form_field_far_behind_is_not_looked_for() -> None:
    """A form has a few fields; a million of them are somebody's joke."""
    headers = {"content-type": "application/x-www-form-urlencoded", "x-github-event": "push"}
    payload = quote_plus(json.dumps(PUSH))
    body = b"&".join([b"a=b"] * 19 + [f"payload={payload}".encode()])
    assert parse("github", headers, body).kind == "push"
    with pytest.raises(MalformedDelivery, match="no payload"):
        parse("github", headers, b"a=b&" + body)


def test_bitbucket_servers_secure_address_is_the_one_to_clone_from() -> None:
    """It may offer both."""
    one = sample("handmade/bitbucket_server/push-with-commits")
    document = json.loads(one.body)
    document["repository"]["links"]["clone"] = [
        {"name": name, "href": f"{name}://bb.example.test/scm/a/b.git"}
        for name in ("https", "http", "ssh")
    ]
    outcome = parse("bitbucket_server", one.headers, json.dumps(document).encode())
    assert outcome.repository is not None
    assert outcome.repository.clone_url == "https://bb.example.test/scm/a/b.git"
    assert outcome.repository.ssh_url == "ssh://bb.example.test/scm/a/b.git"


@pytest.mark.parametrize("field", ["git_ssh_url", "url", "git_http_url", "homepage"])
def test_an_old_gitlab_repository_may_have_any_of_its_addresses(field: str) -> None:
    """Each alone is enough to find it."""
    push: dict[str, Any] = {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "before": "a" * 40,
        "after": "b" * 40,
    }
    push |= {"repository": {field: "https://gitlab.example.com/a/b"}}
    body = json.dumps(push).encode()
    headers = {"content-type": "application/json", "x-gitlab-event": "Push Hook"}
    outcome = parse("gitlab", headers, body)
    assert outcome.repository is not None
    assert outcome.repository.keys == {"gitlab.example.com/a/b"}
