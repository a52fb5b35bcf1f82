"""
Hostile deliveries for all providers, made from the samples: seeded, cheap, and each one again by
its number alone.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from adapters import Request
from adapters.payload import FORM, JSON
from tests.support.mutations import MUTATIONS, Text, pick, untouched
from tests.support.samples import PROVIDERS, SECRET, Sample, all_samples

EVENTS = sorted({sample.row["event"] for sample in all_samples()})
HEADERS = sorted({name.lower() for sample in all_samples() for name in sample.headers})
HEADER_VALUES = [
    *("", " ", "é", "\u0430", "\ud800", "\x00", "a\nb", "x" * 201, "x" * 5000, "0", "-1", "9" * 11),
    *("9" * 5000, "1e9", "\u0661\u0662", "sha256=", "sha1=" + "0" * 40, "sha256=" + "0" * 64),
    *(
        "0" * 64,
        "A" * 64,
        "v1,",
        "v1,é",
        "v1a,AAAA v1,AAAA",
        "v1, " * 500,
        "Basic",
        "Basic =",
        "Bearer",
    ),
    *(
        "Basic é",
        "basic OnMzY3IzdA==",
        "BEARER  s3cr3t ",
        "Basic " + "A" * 5000,
        SECRET,
        FORM,
        JSON,
    ),
    *("text/plain", "application/json; charset=\ud800", "APPLICATION/JSON", ";", "System Hook"),
]
SECRETS: list[list[str | bytes]] = [
    [], [""], ["", SECRET], [SECRET.encode()], ["other", SECRET], ["whsec_"], ["whsec_!"], ["é"],
    ["c2VjcmV0"], ["whsec_c2VjcmV0"], [b"\xff\x00"], ["directcd:s3cr3t"],
]  # fmt: skip
SENT = datetime(2025, 10, 9, 8, 58, 20, tzinfo=UTC)  # as the samples' timestamps say
TIMES = [None, None, None, SENT, SENT, datetime(2026, 1, 1, tzinfo=UTC)]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One delivery and the secrets it is checked with."""

    provider: str
    request: Request
    secrets: list[str | bytes]


@dataclass(frozen=True, slots=True)
class _Template:
    sample: Sample
    part: Text
    headers: dict[str, str]
    secrets: list[str | bytes]
    form: bool
    by_get: bool


def _by_provider() -> list[list[_Template]]:
    """Lists of equal weight, though some providers have many samples and some few."""
    samples = all_samples()
    return [[_template(one) for one in samples if one.provider == name] for name in PROVIDERS]


def _template(sample: Sample) -> _Template:
    headers = {name.lower(): value for name, value in sample.headers.items()}
    form, by_get = headers.get("content-type") == FORM, not sample.body
    return _Template(sample, Text.of(sample.text), headers, [*sample.secrets], form, by_get)


@dataclass
class Fuzzer:
    """
    A million different deliveries for each seed.

    Attributes:
        seed: the same seed and index give the same delivery, as long as samples do not change.
    """

    seed: int
    _rng: Random = field(default_factory=Random)  # noqa: S311 - it must be repeatable
    _templates: list[list[_Template]] = field(default_factory=_by_provider)

    def delivery(self, index: int) -> Hostile:
        """Return the delivery of this number."""
        rng = self._rng
        rng.seed(self.seed << 40 | index)
        template = pick(rng, pick(rng, self._templates))
        provider = template.sample.provider if rng.random() < 0.93 else pick(rng, PROVIDERS)
        headers, body, query = _carried(rng, template)
        if rng.random() < 0.35:
            headers = _spoilt(rng, headers)
        secrets = template.secrets if rng.random() < 0.9 else pick(rng, SECRETS)
        return Hostile(provider, Request(headers, body, query, pick(rng, TIMES)), secrets)


def _carried(rng: Random, template: _Template) -> tuple[dict[str, str], bytes, str]:
    mutation = pick(rng, MUTATIONS)
    if mutation is untouched:
        return template.headers, template.sample.body, template.sample.query
    text = mutation(rng, template.part)
    chance = rng.random()
    if template.form or chance < 0.04:
        return {**template.headers, "content-type": FORM}, b"payload=" + _quoted(text), ""
    if template.by_get or chance > 0.97:
        return template.headers, b"", "payload=" + _quoted(text).decode("latin-1")
    return template.headers, text, ""


def _quoted(text: bytes) -> bytes:
    # Only what a form would end at or change; the rest may stand there as it is, if rudely.
    return text.replace(b"%", b"%25").replace(b"&", b"%26").replace(b"+", b"%2B")


def _spoilt(rng: Random, headers: dict[str, str]) -> dict[str, str]:
    spoilt = dict(headers)
    name = pick(rng, list(spoilt)) if spoilt and rng.random() < 0.8 else pick(rng, HEADERS)
    chance = rng.random()
    if chance < 0.2:
        del spoilt[pick(rng, list(spoilt))]
    elif chance < 0.4:
        return {name.upper(): value for name, value in spoilt.items()}
    elif chance < 0.6:
        spoilt |= {name: pick(rng, EVENTS) for name in spoilt if "event" in name}
    elif chance < 0.7:
        spoilt[name] = spoilt.get(name, "")[: int(rng.random() * 64)] + "\xff"
    else:
        spoilt[name] = pick(rng, HEADER_VALUES)
    return spoilt
