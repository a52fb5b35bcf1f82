"""
What stands behind `--repo` and `--replace`: one repository, or `A=B`, where B stands in for A.

An address may hold `=` itself, in a password above all. So `A=B` is split at the first `=` that
has a whole module path or address before it and an address, or a directory, behind it. Since
`https://me:x` is no whole address, a path is missing, `https://me:x=y@host/app.git` is one
repository; and so is a directory that exists, whatever its name.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cd4sources.sources.addresses import BadTarget, parse_address
from directcd.pull.errors import BadArguments

_LOCAL = re.compile(r"/|(~|\.\.?)(/|$)")
_HOST_AND_PATH = re.compile(r"[\w-]+(\.[\w-]+)+(:[0-9]+)?/.")


@dataclass(frozen=True)
class Named:
    """A repository to pull, and what it stands in for, if anything."""

    url: str = field(repr=False)
    replaces: str = field(default="", repr=False)


def repository(text: str) -> Named:
    """
    What `--repo` names.

    Raises:
        BadArguments: No repository; the message shows nothing that may hold a password.
    """
    pair = None if _is_directory(_absolute(text)) else _split("--repo", text)
    return pair or Named(_address("--repo", text))


def replacement(text: str) -> Named:
    """
    What `--replace` names.

    Raises:
        BadArguments: Not `A=B`, or B is no repository.
    """
    pair = _split("--replace", text)
    if pair is None:
        raise BadArguments(
            "--replace: write A=B: the module path or repository that is required, and the one to "
            "take instead, such as example.com/acme/lib=https://example.com/me/lib"
        )
    return pair


def _split(option: str, text: str) -> Named | None:
    for found in re.finditer("=", text):
        before, behind = text[: found.start()], text[found.end() :]
        if _is_whole(before) and (_is_address(behind) or _is_directory(behind)):
            return Named(_address(option, behind), _absolute(before))
    return None


def _is_whole(before: str) -> bool:
    """A module path, or an address that leads somewhere on its host."""
    if "://" not in before:
        return bool(before)
    return _is_address(before) and "/" in before.partition("://")[2].rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parse_address(_absolute(text))
    except BadTarget:
        return False
    return True


def _is_directory(text: str) -> bool:
    return os.path.isdir(text)  # noqa: PTH112 -- Path.is_dir raises for a name that is too long


def _address(option: str, text: str) -> str:
    """For git, which runs elsewhere: a local path is absolute."""
    if not _LOCAL.match(text) and _is_directory(text):
        return str(Path(text).absolute())
    address = _absolute(text)
    try:
        parse_address(address)
    except BadTarget as error:
        raise BadArguments(f"{option}: {_advice(text) or error}") from None
    if _LOCAL.match(text) and not _is_directory(address):
        raise BadArguments(f"{option} {text}: no such directory")
    return address


def _absolute(text: str) -> str:
    return str(Path(text).expanduser().absolute()) if _LOCAL.match(text) else text


def _advice(text: str) -> str:
    if "@" in text:
        return ""
    if _HOST_AND_PATH.match(text):
        return f"{text} is no address; write https://{text}"
    if "://" not in text and text.isprintable():
        return f"{text} is no directory here, and no address such as https://host/path"
    return ""
