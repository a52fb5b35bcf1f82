"""Standard Webhooks: id, time and body are signed together, and secrets have a form."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import BadSignature, Request
from adapters.registry import find
from tests.unit.adapters.schemes import (
    BODY,
    ID,
    JSON,
    KEY,
    SCHEMES,
    SENT,
    SIGNATURE,
    TIMESTAMP,
    TOKEN,
    Scheme,
    hexadecimal,
    standard,
    when,
)

OTHER = "v1,eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
STANDARD = [scheme for scheme in SCHEMES if scheme.is_standard]
each_standard = pytest.mark.parametrize("scheme", STANDARD, ids=lambda scheme: scheme.name)


def holds(provider: str, request: Request, *secrets: str) -> bool:
    """Does a request pass?"""
    try:
        find(provider).verify(request, secrets)
    except BadSignature:
        return False
    return True


def changed(request: Request, **headers: str) -> Request:
    """The same request with other headers."""
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(request, headers={**request.headers, **new})


def aged(request: Request, seconds: float) -> Request:
    """The same request, received so long after it was signed."""
    return replace(request, received_at=when() + timedelta(seconds=seconds))


@each_standard
@pytest.mark.parametrize(
    "form", ["{} {}", "{1} {0}", "v1a,{2} {1}", "  {1}", "{1} ", "{0} {0} {1}"]
)
def test_one_of_several_signatures_suffices(scheme: Scheme, form: str) -> None:
    """A sender signs with the old and the new secret while it rotates them."""
    request = scheme.request()
    own = request.headers[SIGNATURE]
    value = form.format(OTHER, own, own.removeprefix("v1,"))
    assert holds(scheme.provider, changed(request, webhook_signature=value), scheme.secret)


@each_standard
@pytest.mark.parametrize("version", ["v1a,", "v2,", "V1,", "v1", "v1=", "", "v1,v1,", "v1, "])
def test_another_version_is_not_looked_at(scheme: Scheme, version: str) -> None:
    """Not even when what follows would be right for this one."""
    request = scheme.request()
    value = version + request.headers[SIGNATURE].removeprefix("v1,")
    assert not holds(scheme.provider, changed(request, webhook_signature=value), scheme.secret)


@each_standard
def test_signatures_beyond_the_twentieth_are_not_looked_at(scheme: Scheme) -> None:
    """A stranger cannot make one request cost a million comparisons."""
    request = scheme.request()
    own = request.headers[SIGNATURE]
    for place, passes in ((19, True), (20, False)):
        value = " ".join([OTHER] * place + [own, OTHER])
        spoilt = changed(request, webhook_signature=value)
        assert holds(scheme.provider, spoilt, scheme.secret) == passes


@each_standard
@given(identifier=st.text(st.characters()).filter(lambda text: text != "msg_1"))
def test_another_id_is_refused(scheme: Scheme, identifier: str) -> None:
    """It is signed, so that a delivery cannot be repeated under another one."""
    spoilt = changed(scheme.request(), webhook_id=identifier)
    assert not holds(scheme.provider, spoilt, scheme.secret)


@each_standard
@given(seconds=st.integers(-400, 400).filter(bool))
def test_another_timestamp_is_refused(scheme: Scheme, seconds: int) -> None:
    """It is signed, whether or not its age is looked at."""
    spoilt = changed(scheme.request(), webhook_timestamp=str(SENT + seconds))
    assert not holds(scheme.provider, spoilt, scheme.secret)
    assert not holds(scheme.provider, replace(spoilt, received_at=None), scheme.secret)


@each_standard
@pytest.mark.parametrize(
    ("seconds", "passes"),
    [(0, True), (300, True), (-300, True), (300.5, False), (-301, False), (10**9, False)],
)
def test_age_is_five_minutes_at_most(scheme: Scheme, seconds: float, passes: bool) -> None:  # noqa: FBT001
    """Either way, because clocks differ; a recording has no age."""
    request = aged(scheme.request(), seconds)
    assert holds(scheme.provider, request, scheme.secret) == passes
    assert holds(scheme.provider, replace(request, received_at=None), scheme.secret)
    if not passes:
        with pytest.raises(BadSignature, match=r"Webhook-Timestamp is more than 300 s away"):
            find(scheme.provider).verify(request, [scheme.secret])


@each_standard
@pytest.mark.parametrize("offset", [-11, 0, 14])
def test_the_clock_may_be_of_any_zone(scheme: Scheme, offset: int) -> None:
    """An aware time is one moment, whoever reads it."""
    zone = timezone(timedelta(hours=offset))
    request = replace(scheme.request(), received_at=datetime.fromtimestamp(SENT, zone))
    assert holds(scheme.provider, request, scheme.secret)


@each_standard
@pytest.mark.parametrize(
    "text",
    ["", " ", f"{SENT}.0", f" {SENT}", f"{SENT}\n", f"+{SENT}", "-1", "1e9", "0x1", "9" * 12,
     "9" * 5000, str(SENT).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")), "\ud800"],
    ids=lambda text: ascii(text)[:20],
)  # fmt: skip
@pytest.mark.parametrize("now", [None, datetime(2025, 10, 9, tzinfo=UTC)], ids=["", "now"])
def test_malformed_timestamp_is_refused(scheme: Scheme, text: str, now: datetime | None) -> None:
    """Even when it is signed as it stands."""
    spoilt = replace(changed(scheme.request(), webhook_timestamp=text), received_at=now)
    with pytest.raises(BadSignature, match=r"Webhook-Timestamp is (malformed|missing)"):
        find(scheme.provider).verify(spoilt, [scheme.secret])


@pytest.mark.parametrize(
    ("provider", "secret", "passes"),
    [
        ("standard_webhooks", TOKEN, True),
        ("standard_webhooks", KEY, True),
        ("standard_webhooks", "whsec_" + TOKEN, False),
        ("standard_webhooks", "WHSEC_" + KEY, False),
        ("standard_webhooks", KEY[:-2], False),
        ("standard_webhooks", KEY + "\n", False),
        ("standard_webhooks", "é" + KEY, False),
        ("gitlab", TOKEN, True),
        ("gitlab", KEY, False),
        ("generic", TOKEN, True),
        ("generic", KEY, False),
    ],
)
def test_the_form_of_the_secret(provider: str, secret: str, passes: bool) -> None:  # noqa: FBT001
    """Base64, after `whsec_`; without it only where there is no other kind of secret."""
    request = next(s for s in STANDARD if s.provider == provider).request()
    assert holds(provider, request, secret) == passes


@pytest.mark.parametrize("provider", ["gitlab", "generic", "standard_webhooks"])
@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "whsec_A", "whsec_é", "whsec_ AAAA"])
def test_what_is_not_base64_signs_nothing(provider: str, secret: str) -> None:
    """A key that cannot be read is not an empty key, and no error."""
    for key in ("", "AAAA"):
        stamp = {ID: "msg_1", TIMESTAMP: str(SENT), SIGNATURE: standard(key, BODY)}
        proofs = {"x-gitlab-token": secret, "x-signature": hexadecimal(secret, BODY)}
        request = Request({**JSON, **stamp, **proofs}, BODY)
        assert not holds(provider, request, secret)


def test_gitlabs_token_and_signing_token_do_not_stand_in_for_each_other() -> None:
    """The secret's form decides what is looked at: whoever sends the headers cannot choose."""
    signed = next(s for s in STANDARD if s.provider == "gitlab").request()
    token = Request({**JSON, "x-gitlab-token": TOKEN}, BODY)
    assert not holds("gitlab", token, TOKEN)
    assert not holds("gitlab", changed(signed, x_gitlab_token="other"), "s3cr3t")
    assert not holds("gitlab", changed(signed, x_gitlab_token="s3cr3t"), KEY)
    both = changed(signed, x_gitlab_token="s3cr3t")
    assert find("gitlab").verify(both, ["s3cr3t", TOKEN]) == 0
    assert find("gitlab").verify(both, [TOKEN, "s3cr3t"]) == 0
    assert find("gitlab").verify(changed(both, webhook_id="x"), [TOKEN, "s3cr3t"]) == 1


def test_generic_digest_and_signing_token_do_not_stand_in_for_each_other() -> None:
    """A `whsec_` secret makes no hexadecimal digest, and any other no Standard Webhooks."""
    signed = next(s for s in STANDARD if s.provider == "generic").request()
    for text in (TOKEN, KEY):
        digest = Request({**JSON, "x-signature": hexadecimal(text, BODY)}, BODY)
        assert not holds("generic", digest, TOKEN)
    both = changed(signed, x_signature=hexadecimal("s3cr3t", BODY))
    assert find("generic").verify(both, ["s3cr3t", TOKEN]) == 0
    assert find("generic").verify(changed(both, x_signature=""), ["s3cr3t", TOKEN]) == 1


@pytest.mark.parametrize("provider", ["gitlab", "generic"])
def test_refusal_speaks_of_what_the_secret_is_for(provider: str) -> None:
    """Whoever set a token is not told about signatures, and the other way round."""
    request = Request(JSON, BODY)
    with pytest.raises(BadSignature, match="Header Webhook-Id is missing"):
        find(provider).verify(request, [TOKEN])
    with pytest.raises(BadSignature, match=r"Header X-(Gitlab-Token|Signature) is missing"):
        find(provider).verify(request, ["s3cr3t"])
