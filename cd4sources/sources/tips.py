"""
Asking an http(s) remote where a ref stands, without running git.

Version 2 of git's protocol answers that with one small request on a connection that is kept:
https://git-scm.com/docs/protocol-v2#_ls_refs. The answer only saves work. Whatever is not exactly
as expected (an older server, a redirect, a refusal, a proxy in between) is no answer, and git
itself is run, whose errors are what people see.
"""

import os
import re
from collections.abc import Mapping

from cd4sources.http_errors import HttpError
from cd4sources.http_reply import Reply
from cd4sources.sources.addresses import MAX_CHARACTERS
from cd4sources.sources.credentials import Credential, NoCredential
from cd4sources.sources.pktline import MalformedPackets, Mark, packed, unpacked
from cd4sources.sources.remotes import Remotes
from cd4sources.targets import Repository

# What makes git reach or trust a server in another way than we would.
_GITS_OWN = {
    "http": re.compile(r"(all|http)_proxy", re.IGNORECASE),
    "https": re.compile(r"(all|https)_proxy|GIT_SSL_CAINFO", re.IGNORECASE),
}
_OBJECT = re.compile(rb"[0-9a-f]{40}([0-9a-f]{24})?")
_INFO_REFS = "/info/refs?service=git-upload-pack"
_OK = 200
_REDIRECTS = range(300, 400)


class Tips:
    """Remembers of each remote how to ask it; use one for all targets of a server."""

    def __init__(self, remotes: Remotes, environ: Mapping[str, str] = os.environ) -> None:
        """
        Ask nobody yet.

        Args:
            remotes: The pool of connections.
            environ: With a proxy or other certificates in it, nobody is asked: that is for git.
        """
        self._remotes = remotes
        self._schemes = [
            scheme for scheme, own in _GITS_OWN.items() if not any(map(own.fullmatch, environ))
        ]
        self._formats: dict[str, bytes] = {}

    async def tip(self, repository: Repository) -> str | None:
        """The object (of an annotated tag: the tag) that the ref names; None: let git find out."""
        if not self._may_ask(repository):
            return None
        try:
            return await self._asked(repository)
        except (HttpError, MalformedPackets, NoCredential):
            self._formats.pop(repository.url, None)
            return None

    async def moved(self, repository: Repository) -> str:
        """Where the remote says that it has moved, without any credential; "" if it does not."""
        if not self._may_ask(repository):
            return ""
        try:
            reply = await self._get(repository)
        except (HttpError, NoCredential):
            return ""
        place = reply.headers.get("location", "") if reply.status in _REDIRECTS else ""
        return _plain(place.partition("?")[0].removesuffix("/info/refs"))

    def _may_ask(self, repository: Repository) -> bool:
        return repository.url.partition("://")[0] in self._schemes

    async def _asked(self, repository: Repository) -> str | None:
        url = repository.url
        if url not in self._formats:
            self._formats[url] = _object_format(await self._get(repository))
        ref = (repository.ref or "HEAD").encode()
        question = _question(ref, self._formats[url])
        return _object_of(ref, await self._post(repository, question))

    async def _get(self, repository: Repository) -> Reply:
        url = repository.url.rstrip("/") + _INFO_REFS
        return await self._remotes.ask("GET", url, _headers(repository.credential))

    async def _post(self, repository: Repository, question: bytes) -> Reply:
        kind = "application/x-git-upload-pack-request"
        headers = {**_headers(repository.credential), "Content-Type": kind}
        url = repository.url.rstrip("/") + "/git-upload-pack"
        return await self._remotes.ask("POST", url, headers, question)


def _headers(credential: Credential | None) -> dict[str, str]:
    login = credential.login() if credential else None
    who = {"Authorization": login.basic} if login else {}
    return {"Git-Protocol": "version=2", "Accept-Encoding": "identity", **who}


def _question(ref: bytes, object_format: bytes) -> bytes:
    command = (b"command=ls-refs", b"object-format=" + object_format)
    return packed((*command, Mark.DELIMITER, b"ref-prefix " + ref, Mark.FLUSH))


def _object_format(reply: Reply) -> bytes:
    """How the remote names objects; raises MalformedPackets unless it speaks version 2."""
    lines = [one for one in _lines(reply, "advertisement") if isinstance(one, bytes)]
    if b"version 2" not in lines[:2]:
        raise MalformedPackets("the remote does not speak version 2")
    if not any(line.partition(b"=")[0] == b"ls-refs" for line in lines):
        raise MalformedPackets("the remote does not list refs")
    formats = [line.partition(b"=")[2] for line in lines if line.startswith(b"object-format=")]
    return formats[0] if formats else b"sha1"


def _object_of(ref: bytes, reply: Reply) -> str | None:
    lines = _lines(reply, "result")
    if not lines or lines[-1] is not Mark.FLUSH:
        raise MalformedPackets("the list of refs has no end")
    for line in lines[:-1]:
        name, _, rest = line.partition(b" ") if isinstance(line, bytes) else (b"", b"", b"")
        if not _OBJECT.fullmatch(name):
            raise MalformedPackets("a line names no object")
        if rest.partition(b" ")[0] == ref:
            return name.decode()
    return None


def _lines(reply: Reply, kind: str) -> list[bytes | Mark]:
    said = reply.headers.get("content-type", "")
    if reply.status != _OK or said != f"application/x-git-upload-pack-{kind}":
        raise MalformedPackets("not an answer of git")
    return list(unpacked(reply.body))


def _plain(place: str) -> str:
    """A stranger's address as it may be shown."""
    shown = re.sub(r"//[^/]*@", "//", place)
    return shown if shown.isprintable() and len(shown) <= MAX_CHARACTERS else ""
