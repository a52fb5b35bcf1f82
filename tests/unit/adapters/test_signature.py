"""Nothing but the exact proof made with a secret of the source passes, for every provider."""

from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters import BadSignature, Request, verify
from adapters.payload import carried_text
from adapters.registry import find
from tests.support.samples import SECRET, Sample, sample
from tests.unit.adapters.schemes import (
    BODY,
    HEADERS,
    ID,
    SCHEMES,
    SIGNING,
    TIMESTAMP,
    Scheme,
    hexadecimal,
)

each_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
each_plain = pytest.mark.parametrize(
    "scheme",
    [scheme for scheme in SCHEMES if not scheme.is_standard],
    ids=lambda scheme: scheme.name,
)
each_signing = pytest.mark.parametrize("scheme", SIGNING, ids=lambda scheme: scheme.name)

GITHUB = sample("handmade/github/push-branch")
GITEA = sample("push-main-one.repo-json.push")
SIGNED = [
    *(GITHUB, GITEA, sample("handmade/github/push-branch-form")),
    *(sample(f"push-main-one.repo-{how}.push") for how in ("form", "get")),
]
HEADER = {"github": "X-Hub-Signature-256", "gitea": "X-Gitea-Signature"}


def holds(scheme: Scheme, request: Request, *secrets: str | bytes) -> bool:
    """Does a request pass? Anything but yes and BadSignature comes through."""
    try:
        find(scheme.provider).verify(request, list(secrets) or [scheme.secret])
    except BadSignature:
        return False
    return True


def with_header(request: Request, name: str, value: str) -> Request:
    """The same request with another header."""
    return replace(request, headers={**request.headers, name: value})


def means_the_same(scheme: Scheme, value: str, proof: str) -> bool:
    """The few other spellings that the schemes themselves allow, and no more."""
    if scheme.header == "authorization":
        name = value.strip().partition(" ")[0].lower()
        return name == proof.partition(" ")[0].lower() and scheme.secret in _credentials(value)
    if scheme.is_standard:
        return proof in value.split(" ")
    return scheme.provider == "generic" and value.removeprefix("sha256=") == proof[-64:]


def _credentials(authorization: str) -> list[str]:
    """A token; or user, colon and password, of which the user may be anything."""
    name, _, value = authorization.strip().partition(" ")
    if name.lower() == "bearer":
        return [value.strip()]
    try:
        pair = b64decode(value.strip(), validate=True).decode("latin-1")
    except ValueError:
        return []
    return [pair, pair.partition(":")[2]]


@each_scheme
@given(text=st.binary(min_size=1))
def test_what_is_signed_passes(scheme: Scheme, text: bytes) -> None:
    """Whatever the bytes are: they are never read before they are trusted."""
    assert holds(scheme, scheme.request(text))


@each_scheme
@pytest.mark.parametrize("index", [0, 1, 2])
def test_matching_secret_is_told(scheme: Scheme, index: int) -> None:
    """During a rotation the index shows which secret a sender still uses, empty ones counted."""
    secrets: list[str | bytes] = ["", scheme.other_secret, b""]
    secrets[index] = scheme.secret
    assert find(scheme.provider).verify(scheme.request(), secrets) == index
    secrets[index] = scheme.secret.encode()
    assert find(scheme.provider).verify(scheme.request(), [*secrets, scheme.secret]) == index


@each_signing
def test_every_changed_bit_of_the_body_is_refused(scheme: Scheme) -> None:
    """Wherever it is."""
    _, body, query = scheme.carry(BODY)
    signed = scheme.request()
    for bit in range(8 * len(body or query)):
        changed = bytearray(body or query.encode())
        changed[bit // 8] ^= 1 << bit % 8
        if body:
            request = replace(signed, body=bytes(changed))
        else:
            request = replace(signed, query=changed.decode("latin-1"))
        # %2b and %2B are one text, which is what Gitea and its relatives sign.
        assert holds(scheme, request) == (carried_text(request) == BODY), bit


@each_signing
@given(text=st.binary(min_size=1), other=st.binary(min_size=1))
def test_another_body_is_refused(scheme: Scheme, text: bytes, other: bytes) -> None:
    """A signature is worth nothing for any other text."""
    assume(text != other)
    _, body, query = scheme.carry(other)
    assert not holds(scheme, replace(scheme.request(text), body=body, query=query))


@each_scheme
def test_every_part_of_the_proof_is_refused(scheme: Scheme) -> None:
    """Beginnings, ends, and the same without one character or with one twice."""
    request = scheme.request()
    proof = request.header(scheme.header)
    parts = {proof[:n] for n in range(len(proof))} | {proof[n:] for n in range(1, len(proof))}
    parts |= {proof[:n] + proof[n + 1 :] for n in range(len(proof))}
    parts |= {proof[: n + 1] + proof[n:] for n in range(len(proof))}
    for part in sorted(parts - {proof}):
        passes = holds(scheme, with_header(request, scheme.header, part))
        assert passes == means_the_same(scheme, part, proof), part


@each_scheme
def test_the_proof_in_another_case_is_refused(scheme: Scheme) -> None:
    """Digits, base64 and secrets mean something else then."""
    request = scheme.request()
    proof = request.header(scheme.header)
    for value in {proof.upper(), proof.swapcase(), proof.title()} - {proof}:
        assert not holds(scheme, with_header(request, scheme.header, value)), value


@each_scheme
@given(data=st.data())
def test_a_changed_character_of_the_proof_is_refused(scheme: Scheme, data: st.DataObject) -> None:
    """Whichever it is, and whatever it is changed to."""
    request = scheme.request()
    proof = request.header(scheme.header)
    position = data.draw(st.integers(0, len(proof) - 1))
    character = data.draw(st.characters().filter(lambda c: c != proof[position]))
    value = proof[:position] + character + proof[position + 1 :]
    assume(not means_the_same(scheme, value, proof))
    assert not holds(scheme, with_header(request, scheme.header, value))


@each_scheme
@given(
    value=st.text(st.characters(), max_size=80)
    | st.text("sha256=v1,abcdefBasic é\u0430\ud800", max_size=80)
)
def test_any_other_text_is_no_proof(scheme: Scheme, value: str) -> None:
    """Empty, beyond ASCII, half a surrogate: refused as a wrong signature, never another error."""
    request = scheme.request()
    assume(not means_the_same(scheme, value, request.header(scheme.header)))
    assert not holds(scheme, with_header(request, scheme.header, value))


@each_scheme
@pytest.mark.parametrize("value", ["", " ", "é", "\u0430", "\ud800", "\x00", "sha256="], ids=ascii)
def test_unusable_header_is_no_proof(scheme: Scheme, value: str) -> None:
    """In every header that a proof needs, and without it."""
    request = scheme.request()
    for name in [scheme.header, *((ID, TIMESTAMP) if scheme.is_standard else ())]:
        assert not holds(scheme, with_header(request, name, value))
        rest = {key: text for key, text in request.headers.items() if key != name}
        assert not holds(scheme, replace(request, headers=rest))


@each_scheme
def test_a_proof_in_another_header_is_refused(scheme: Scheme) -> None:
    """Each provider looks in its own place alone."""
    request = scheme.request()
    proof = request.header(scheme.header)
    own = {"x-signature", "x-hub-signature-256"} if scheme.provider == "generic" else set()
    for name in set(HEADERS) - own - {scheme.header}:
        assert not holds(scheme, Request({**request.headers, scheme.header: "", name: proof}, b"x"))
        rest = {key: text for key, text in request.headers.items() if key != scheme.header}
        assert not holds(scheme, replace(request, headers={**rest, name: proof})), name


@each_scheme
@given(secret=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_another_secret_is_refused(scheme: Scheme, secret: str) -> None:
    """Whoever does not know it can prove nothing."""
    request = scheme.request()
    assume(secret not in {scheme.secret, scheme.secret.removeprefix("directcd:")})
    assert not holds(scheme, request, secret)
    assert not holds(scheme, request, scheme.other_secret, secret)


@each_plain
@given(secret=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1))
def test_a_secret_may_have_any_characters(scheme: Scheme, secret: str) -> None:
    """It is UTF-8, on the way as in the settings; Standard Webhooks has base64 instead."""
    assume(not secret.startswith("whsec_"))
    request = scheme.request(secret=secret)
    sent = request.header(scheme.header).encode().decode("latin-1")  # as servers read headers
    assume(sent.strip() == sent)
    assert holds(scheme, with_header(request, scheme.header, sent), secret)


@each_scheme
@pytest.mark.parametrize(
    "secrets", [[], [""], [b""], ["", b""], ["", "other"], ["whsec_"]], ids=repr
)
def test_an_empty_secret_matches_nothing(scheme: Scheme, secrets: list[str | bytes]) -> None:
    """No secret, or an empty one that everybody knows, lets nobody in."""
    empty = "whsec_" if scheme.is_standard else ""
    made = scheme.proof(empty, BODY)
    for request in (scheme.request(), with_header(scheme.request(), scheme.header, made)):
        with pytest.raises(BadSignature):
            find(scheme.provider).verify(request, secrets)


@each_scheme
def test_a_single_secret_is_not_taken_apart(scheme: Scheme) -> None:
    """A text given instead of a list of texts is one secret, not one for each letter."""
    request = replace(scheme.request(), received_at=None)
    parts = (scheme.provider, request.headers, request.body)
    verify(*parts, scheme.secret, query=request.query)
    verify(*parts, scheme.secret.encode(), query=request.query)  # type: ignore[arg-type]
    with pytest.raises(BadSignature):
        verify(*parts, "x" + scheme.secret, query=request.query)


@each_signing
@pytest.mark.parametrize("algorithm", ["sha1", "sha224", "sha512", "sha3_256", "md5"])
def test_another_algorithm_is_refused(scheme: Scheme, algorithm: str) -> None:
    """Even with the right secret, whatever it is called."""
    request = scheme.request()
    digest = hexadecimal(scheme.secret, BODY, algorithm)
    for prefix in ("", "sha256=", f"{algorithm}=", "v1,"):
        assert not holds(scheme, with_header(request, scheme.header, prefix + digest))


def test_sha1_is_never_accepted() -> None:
    """A correct SHA-1 signature without a SHA-256 one is no signature."""
    headers = {k: v for k, v in GITHUB.headers.items() if k != "X-Hub-Signature-256"}
    assert "X-Hub-Signature" in headers
    with pytest.raises(BadSignature):
        verify("github", headers, GITHUB.body, [SECRET])


@pytest.mark.parametrize("signed", SIGNED, ids=lambda s: s.row["id"])
@given(data=st.data())
def test_changed_sample_is_refused(signed: Sample, data: st.DataObject) -> None:
    """One changed bit anywhere in what a real server signed is noticed."""
    carrier = bytearray(signed.body or signed.query.encode())
    position = data.draw(st.integers(0, len(carrier) - 1))
    carrier[position] ^= 1 << data.draw(st.integers(0, 7))
    body, query = (bytes(carrier), "") if signed.body else (b"", carrier.decode("latin-1"))
    changed = Request(signed.headers, body, query)
    original = carried_text(Request(signed.headers, signed.body, signed.query))
    assume(signed.provider == "github" or carried_text(changed) != original)
    with pytest.raises(BadSignature):
        verify(signed.provider, signed.headers, body, [SECRET], query=query)


@pytest.mark.parametrize("signed", [GITHUB, GITEA], ids=lambda s: s.provider)
@pytest.mark.parametrize(
    ("value", "state"),
    [
        (None, "missing"),
        ("", "missing"),
        ("abc", "malformed"),
        ("sha1=" + "0" * 40, "malformed"),
        ("\xe9\u0430", "malformed"),
    ],
    ids=str,
)
def test_refusal_names_header_and_length_only(
    signed: Sample, value: str | None, state: str
) -> None:
    """An unauthenticated sender learns the header, its state, and how long the body was."""
    name = HEADER[signed.provider]
    headers = {key: text for key, text in signed.headers.items() if key != name}
    if value is not None:
        headers[name] = value
    with pytest.raises(BadSignature) as refusal:
        verify(signed.provider, headers, signed.body, [SECRET])
    length = len(signed.body)
    assert refusal.value.detail.startswith(f"Header {name} is {state}")
    assert refusal.value.detail.endswith(f"; the body has {length} bytes.")
    assert SECRET not in str(refusal.value)


@each_scheme
def test_no_refusal_shows_a_secret_or_a_proof(scheme: Scheme) -> None:
    """Not the one that was wanted, nor the one that was given."""
    wrong = with_header(scheme.request(), scheme.header, "canary")
    for request in (wrong, scheme.request(secret=scheme.other_secret)):
        with pytest.raises(BadSignature) as refusal:
            find(scheme.provider).verify(request, [scheme.secret])
        shown = f"{refusal.value} {refusal.value.__cause__} {refusal.value.__context__}"
        for hidden in (scheme.secret, scheme.other_secret, "canary"):
            assert hidden not in shown


def test_prefix_alone_is_a_missing_signature() -> None:
    """Gitea sends `sha256=` when its hook has no secret."""
    headers = GITHUB.headers | {"X-Hub-Signature-256": "sha256="}
    with pytest.raises(BadSignature, match="missing or empty"):
        verify("github", headers, GITHUB.body, [SECRET])
