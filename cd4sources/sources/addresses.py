"""
What may stand where a repository's address or a ref is expected.

Addresses go to git, into logs and to everyone who asks what is delivered. So each is taken apart
by a grammar that knows what every part is; what does not fit is refused, and never guessed at: it
could be an option, a program to run, or a password in a place where nobody masks it.
See https://git-scm.com/docs/git-fetch#_git_urls and https://git-scm.com/docs/git-check-ref-format
"""

import os
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

MAX_CHARACTERS = 2_000
"""No address or password comes near; the lines of both fit a pipe."""

# Up to the last `@` is user information, as git and curl read it too.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user_info>[^/?#]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^@?#]*)?"
)
_SSH_SHORT = re.compile(
    r"(?!(?i:https?|ssh|file|ftps?):)"  # a url with a slash too few
    r"(?:\w[\w.+-]*@)?(?:\w[\w.-]*|\[[0-9A-Fa-f:.]+\]):(?![-:])[^@]+"
)
_SSH_USER = re.compile(r"\w[\w.+-]*")
# What git forbids in a ref, and what would be more than one ref in a refspec.
_NOT_IN_A_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
_URL_IN_A_PATH = re.compile(r"^//|://|:[^/]*@")
_MOST_PORT = 65_535


class TargetError(Exception):
    """A target cannot be made, or not be found."""


class BadTarget(TargetError):
    """The configuration of a target contradicts itself."""


@dataclass(frozen=True)
class Address:
    """A repository's address without any secret, and the user and password that stood in it."""

    url: str
    scheme: str
    origin: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


def parse_address(text: str) -> Address:
    """
    Take an address apart.

    Returns:
        `scheme` is http, https, ssh, git or file; `origin` is scheme, host and port of an http(s)
        address; a local path is absolute, because git runs in a directory of its own.

    Raises:
        BadTarget: It is none that git may be given; says why, and shows nothing of it.
    """
    if not text.isprintable() or " " in text or not 0 < len(text) <= MAX_CHARACTERS:
        raise BadTarget("a repository's url is empty, too long or holds a blank; correct it")
    if text.startswith(("/", "./", "../")):
        return _path(text)
    if text.lower().startswith("file://"):
        return _file(text)
    if _SSH_SHORT.fullmatch(text) and "://" not in text:
        return Address(text, "ssh")
    found = _URL.fullmatch(text)
    if not found or int(found["port"] or 0) > _MOST_PORT:
        raise BadTarget(
            "a repository's url is malformed: write https://host/path, ssh://host/path, "
            "user@host:path or a path that begins with /; of a password '/', '?', '#', '@' and ':' "
            "as %2F %3F %23 %40 %3A; and no query behind the path"
        )
    return _url(found)


def full_ref(ref: str) -> str:
    """
    `main` becomes `refs/heads/main`; a full ref and the empty one stay.

    Raises:
        BadTarget: git would not accept it as one ref.
    """
    full = ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}"
    if _NOT_IN_A_REF.search(full) or not full.isprintable() or len(full) > MAX_CHARACTERS:
        raise BadTarget(
            f"{ref[:100]!r} is not a ref; give a branch (main) or a full ref (refs/tags/v1)"
        )
    return full


def without_secret(replaces: str) -> str:
    """
    What a repository stands in for: a module path, or an address that holds no password.

    Raises:
        BadTarget: A user, a password or a query stands in it; nothing of it is shown.
    """
    if "@" not in replaces or _SSH_SHORT.fullmatch(replaces):
        return replaces
    if "://" in replaces and parse_address(replaces).scheme == "ssh":
        return replaces
    raise BadTarget("`replaces` holds an '@'; it needs no credential: leave that out")


def _path(text: str) -> Address:
    if _URL_IN_A_PATH.search(text):
        raise BadTarget("a repository's path looks like a url with a user or a host; correct it")
    return Address(os.path.abspath(text), "file")  # noqa: PTH100 -- symbolic links stay


def _file(text: str) -> Address:
    path = text[len("file://") :]
    if not path.startswith("/") or _URL_IN_A_PATH.search(path):
        raise BadTarget("a file url names no host and no other url: write file:///path")
    return Address(f"file://{path}", "file")


def _url(found: re.Match[str]) -> Address:
    scheme = found["scheme"].lower()
    port = f":{found['port']}" if found["port"] else ""
    host, rest = found["host"] + port, found["path"] or ""
    if scheme in {"http", "https"}:
        origin = f"{scheme}://{host}"
        user, _, password = (found["user_info"] or "").partition(":")
        return Address(f"{origin}{rest}", scheme, origin, unquote(user), unquote(password))
    if scheme == "ssh":
        return _ssh(found["user_info"], f"{host}{rest}")
    if scheme == "git" and not found["user_info"]:
        return Address(f"git://{host}{rest}", scheme)
    raise BadTarget(
        "git:// takes no user or password; use https"
        if scheme == "git"
        else "a repository's url is neither http, https, ssh, git nor file; use one of these"
    )


def _ssh(user: str | None, rest: str) -> Address:
    if not user:
        return Address(f"ssh://{rest}", "ssh")
    if not _SSH_USER.fullmatch(user):
        raise BadTarget("ssh takes no password from a url; use a key (`ssh_key_file`), or https")
    return Address(f"ssh://{user}@{rest}", "ssh")
