"""
Where a repository's refs stand, asked of any forge in git's own protocol: no API has the same.

Version 2 is asked only for what is wanted (https://git-scm.com/docs/protocol-v2#_ls_refs); who does
not understand that is asked for all that it has (https://git-scm.com/docs/http-protocol).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hub.forges.errors import ForgeError, ForgeRefused
from hub.forges.http import ForgeHttp
from hub.recording import aside

SERVICE = "git-upload-pack"
LARGE_BYTES = 64 * 1024  # of which a thousand refs are read in some milliseconds
LENGTH = 4  # hexadecimal digits before each line
_LINE = re.compile(
    rb"([0-9a-f]{40}(?:[0-9a-f]{24})?) (refs/[^ \0\n]+)(?: peeled:([0-9a-f]{40,64}))?"
)
_PEELED = "^{}"


@dataclass(frozen=True, slots=True)
class Tip:
    """
    Where a ref stands.

    Attributes:
        object: full hash; of an annotated tag the tag's own.
        commit: what such a tag points to; None when the ref names a commit itself.
    """

    object: str
    commit: str | None = None

    def is_at(self, commit: str | None) -> bool:
        """Whether this is what somebody has called it: forges name either of a tag."""
        return commit is not None and commit in {self.object, self.commit}


class GitRefs:
    """Asks one forge, with its token; close it when done."""

    def __init__(self, http: ForgeHttp) -> None:
        """
        Args:
            http: of what the paths of its repositories follow; it sends the login.
        """
        self._http = http

    async def refs(self, path: str, prefixes: Sequence[str]) -> dict[str, Tip]:
        """
        The refs of a repository whose names begin so, by their full names.

        Args:
            path: below the forge's address, such as `acme/shop`.
            prefixes: of full refs.

        Raises:
            ForgeError: it does not tell.
        """
        place = f"/{quote(path)}" if "/_git/" in path else f"/{quote(path)}.git"
        found = await self._asked_for(place, prefixes)
        return {ref: tip for ref, tip in found.items() if ref.startswith(tuple(prefixes))}

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _asked_for(self, place: str, prefixes: Sequence[str]) -> dict[str, Tip]:
        try:
            body = _question(prefixes)
            answer = await self._http.fetch("POST", f"{place}/{SERVICE}", _HEADERS, body)
            return await aside(LARGE_BYTES, len(answer), _tips_in, answer)
        except (ForgeRefused, ValueError):
            return await self._all(place)

    async def _all(self, place: str) -> dict[str, Tip]:
        path = f"{place}/info/refs?service={SERVICE}"
        answer = await self._http.fetch("GET", path, {"accept": "*/*"}, b"")
        try:
            return await aside(LARGE_BYTES, len(answer), _tips_advertised, answer)
        except ValueError as error:
            step = "see that base_url is the address that repositories are cloned from"
            raise ForgeError(f"{place[1:]} does not answer as git does: {error}", step) from error


_HEADERS = {
    "accept": f"application/x-{SERVICE}-result",
    "content-type": f"application/x-{SERVICE}-request",
    "git-protocol": "version=2",
}


def _tips_in(answer: bytes) -> dict[str, Tip]:
    return _tips(_lines(answer))


def _tips_advertised(answer: bytes) -> dict[str, Tip]:
    return _tips(_advertised(_lines(answer)))


def _question(prefixes: Sequence[str]) -> bytes:
    wanted = [f"ref-prefix {prefix}" for prefix in prefixes]
    first, rest = ["command=ls-refs"], ["peel", *wanted]
    return b"%s0001%s0000" % (_packed(first), _packed(rest))


def _packed(lines: Sequence[str]) -> bytes:
    encoded = [f"{line}\n".encode() for line in lines]
    return b"".join(b"%04x%s" % (LENGTH + len(line), line) for line in encoded)


def _lines(answer: bytes) -> Iterator[bytes]:
    """
    The lines of an answer without its marks.

    Framing: https://git-scm.com/docs/gitprotocol-common#_pkt_line_format

    Raises:
        ValueError: it is cut off, or has another form.
    """
    at = 0
    while at < len(answer):
        length = int(answer[at : at + LENGTH], 16)
        if length >= LENGTH:
            if at + length > len(answer):
                raise ValueError("it is cut off")
            yield answer[at + LENGTH : at + length].rstrip(b"\n")
        at += max(length, LENGTH)
    if not answer.endswith(b"0000"):
        raise ValueError("it has no end")


def _advertised(lines: Iterator[bytes]) -> Iterator[bytes]:
    """What is said before the refs of version 0 and behind the first of them is not about refs."""
    for line in lines:
        told = line.partition(b"\0")[0]
        nothing = told.endswith((b" capabilities^{}", b" HEAD"))
        if not (nothing or told.startswith((b"#", b"version", b"shallow"))):
            yield told


def _tips(lines: Iterator[bytes]) -> dict[str, Tip]:
    found: dict[str, Tip] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("a line is no ref")
        commit, ref = match[1].decode(), match[2].decode(errors="replace")
        if ref.endswith(_PEELED):
            tag = ref.removesuffix(_PEELED)
            found[tag] = Tip(found[tag].object, commit) if tag in found else Tip(commit)
        else:
            found[ref] = Tip(commit, match[3].decode() if match[3] else None)
    return found
