"""One JSON text, spoilt in one place: by cutting bytes, never by reading the text again."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import msgspec

from adapters.shapes import Shape

ZERO, HASH = b'"' + b"0" * 40 + b'"', b'"' + b"b" * 40 + b'"'
VALUES = [
    *(b"null", b"true", b"false", b"0", b"-1", b"1.5", b"1e999", b"-1e999", b"NaN", b"-Infinity"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1" * 5000),
    *(b'""', b'"x"', b'"\\ud800"', b'"\\udfff\\ud800"', b'"\\u0000"', b'"a\\nb"', b'"\x00"'),
    *(b'"\xff"', b'"\xed\xa0\x80"', b'"\\u202e"', '"é"'.encode(), '"\U0001f600"'.encode()),
    *(b'"' + b"x" * n + b'"' for n in (201, 1024, 1025, 60_000)),
    *(b"[]", b"{}", b"[null]", b"[[]]", b"[{}]", b'{"id":null}', b"[" + b"1," * 500 + b"1]"),
    *(b"[" + b"{}," * 10_001 + b"{}]", b"[" * 3000, b'{"a":' * 3000, b"[" * 100 + b"]" * 100),
    *(ZERO, HASH, b'"' + b"0" * 64 + b'"', b'"' + b"a" * 64 + b'"', b'"' + b"A" * 40 + b'"'),
    *(b'"main"', b'"refs/heads/main"', b'"refs/tags/v1"', b'"refs/heads/"', b'"refs/for/a"'),
    *(b'"refs/heads/a..b"', b'"HEAD"', b'"-a"', '"refs/heads/é/\u202e"'.encode(), b'"a\\u007f"'),
    *(b'"branch"', b'"tag"', b'"push"', b'"ping"', b'"test"', b'"git.push"', b'"annotated_tag"'),
    *(b'"tag_push"', b'"repository_update"', b'"project_rename"', b'"project_\\ud800"'),
    *(b'"https://git.example/acme/app.git"', b'"http://[::1]:3000/a/b"', b'"https://[/a"'),
    *(b'"https://h:99999999/a"', b'"ssh://\\u0000@h/a"', b'"https://h/%00%ff/../a"', b'"a:b:c@d"'),
    *(b'"https://xn--' + b"a" * 70 + '\u00e9.example/a"'.encode(), '"a.\u0130/b"'.encode()),
    *('"https://b\u00fccher.example/a"'.encode(), b'"https://u:p@h.example/a?b#c"', b'"//"'),
]
SPOILERS = [
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xff",
    b'"',
    b"\\",
    b" ",
    b"/",
    b"..",
    b"\\u00e9",
    b"%",
]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-0-9][-+.0-9eE]*|true|false|null|[\[\]{}:,]')
T = TypeVar("T")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Text:
    """
    A JSON text and where its parts stand.

    Attributes:
        text: the bytes.
        objects: positions just behind an opening brace.
        values: of the members that any adapter reads, or of all.
        members: the same, each with its name.
    """

    text: bytes
    objects: list[int]
    values: list[Span]
    members: list[Span]

    @classmethod
    def of(cls, text: bytes) -> "Text":
        """Find the parts of a well-formed text."""
        members = list(_members(text))
        read = [place for place in members if text[place[0] : place[1]] in READ]
        return cls(
            text,
            [found.end() for found in re.finditer(rb"\{", text)],
            [(start, end) for _, _, start, end in read * 3 + members],
            [(name, end) for name, _, _, end in read * 3 + members],
        )


def _names(shape: type[Shape]) -> set[bytes]:
    own = {b'"%s"' % field.encode_name.encode() for field in msgspec.structs.fields(shape)}
    return own.union(*map(_names, shape.__subclasses__()))


READ = _names(Shape)
"""The names of all fields that an adapter loaded so far reads, in quotes."""


def _members(text: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Start and end of every member's name, and of its value."""
    opened: list[tuple[int, Span | None]] = []
    last: Span = (0, 0)
    name: Span | None = None
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in {b"{", b"["}:
            opened.append((token.start(), name))
            name = None
        elif word == b":":
            name = last
        elif word != b",":
            last = token.span()
            start, named = opened.pop() if word in {b"}", b"]"} else (last[0], name)
            if named:
                yield *named, start, last[1]
            name = None


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one of the items; twice as fast as `choice`."""
    return items[int(rng.random() * len(items))]


def hostile_value(rng: Random, _: Text) -> bytes:
    """Return a value that no forge sends there."""
    return pick(rng, VALUES)


def own_value(rng: Random, part: Text) -> bytes:
    """Return a value from elsewhere in the same text: well-formed, of the wrong type."""
    start, end = pick(rng, part.values)
    return part.text[start:end]


def replaced(rng: Random, part: Text) -> bytes:
    """One value replaced."""
    start, end = pick(rng, part.values)
    value = pick(rng, (hostile_value, hostile_value, own_value))(rng, part)
    return part.text[:start] + value + part.text[end:]


def replaced_twice(rng: Random, part: Text) -> bytes:
    """Two values replaced by one: equal hashes, equal names."""
    (a, b), (c, d) = sorted((pick(rng, part.values), pick(rng, part.values)))
    value = hostile_value(rng, part)
    return part.text[:a] + value + part.text[b : max(b, c)] + value + part.text[max(b, d) :]


def dropped(rng: Random, part: Text) -> bytes:
    """One member renamed, so that it is missing."""
    start, _ = pick(rng, part.members)
    return part.text[: start + 1] + b"~" + part.text[start + 1 :]


def doubled(rng: Random, part: Text) -> bytes:
    """One name twice in its object, with another value in front or behind."""
    start, end = pick(rng, part.members)
    name = part.text[start : part.text.index(b":", start) + 1]
    other = name + hostile_value(rng, part)
    if rng.random() < 0.5:
        return part.text[:start] + other + b"," + part.text[start:]
    return part.text[:end] + b"," + other + part.text[end:]


def added(rng: Random, part: Text) -> bytes:
    """A member that another provider would send there."""
    place = pick(rng, part.objects)
    member = pick(rng, _READ) + b":" + hostile_value(rng, part) + b","
    return part.text[:place] + member + part.text[place:]


def spoilt(rng: Random, part: Text) -> bytes:
    """A few bytes put into a value, most of which are texts."""
    start, end = pick(rng, part.values)
    place = start + 1 + int(rng.random() * (end - start - 1))
    return part.text[:place] + pick(rng, SPOILERS) + part.text[place:]


def flipped(rng: Random, part: Text) -> bytes:
    """One to four bits changed."""
    body = bytearray(part.text)
    for _ in range(1 + int(rng.random() * 4)):
        body[int(rng.random() * len(body))] ^= 1 << int(rng.random() * 8)
    return bytes(body)


def truncated(rng: Random, part: Text) -> bytes:
    """The beginning, or the end."""
    place = int(rng.random() * len(part.text))
    return part.text[:place] if rng.random() < 0.8 else part.text[place:]


def wrapped(rng: Random, part: Text) -> bytes:
    """The whole text inside other brackets, between other bytes."""
    front, back = pick(rng, WRAPPINGS)
    return front + part.text + back


def noise(rng: Random, _: Text) -> bytes:
    """No JSON at all, or one value alone."""
    if rng.random() < 0.5:
        return pick(rng, VALUES)
    return rng.randbytes(int(rng.random() * 200))


def untouched(_: Random, part: Text) -> bytes:
    """The sample's own text."""
    return part.text


_READ = sorted(READ)
WRAPPINGS = [
    *(
        (b"[", b"]"),
        (b'{"a":', b"}"),
        (b"\xef\xbb\xbf", b""),
        (b"", b"x"),
        (b"", b"\x00"),
        (b"[" * 2000, b"]" * 2000),
    ),
]
MUTATIONS: list[Callable[[Random, Text], bytes]] = [
    *(replaced,) * 8,
    *(replaced_twice, spoilt, dropped, doubled, added) * 2,
    *(flipped, truncated, wrapped, noise, untouched),
]
