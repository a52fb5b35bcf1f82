"""
Hostile addresses and refs for git: seeded, cheap, and each one again by its seed.

Each is put together of parts that mean something to git, ssh, a shell or a URL parser, and then,
mostly, damaged a little, so that some of them are just acceptable.
"""

from collections.abc import Iterator
from random import Random

SECRET = "c4n4ry-s3cr3t"
"""Stands where a password may; it must never be seen."""

COMMAND = "touch${IFS}CANARY"
"""Makes a file when anything runs it; CANARY is the caller's to replace."""

_SCHEMES = [
    *("https://", "http://", "HTTPS://", "ssh://", "git://", "file://", "ext::", "fd::", "https:/"),
    *(
        "git+ssh://",
        "ftp://",
        "foo::",
        "https::",
        "//",
        "/",
        "./",
        "../",
        "-",
        "--",
        "",
        "http:\\\\",
    ),
]
_USERS = [
    *("", "", "", "git@", f"me:{SECRET}@", f"{SECRET}@", f"a@b:{SECRET}@", f"me:{SECRET}/x@"),
    *(f"{SECRET}#@", f"{SECRET}?@", f"me:{SECRET}%40", "-oProxyCommand=x@", f"me%3A{SECRET}@"),
]
_HOSTS = [
    *("127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1", "[::1]:1", f"-oProxyCommand={COMMAND}", ""),
    *(
        "-oPermitLocalCommand=yes",
        f"$({COMMAND})",
        f"`{COMMAND}`",
        "127.0.0.1:99999",
        "127.0.0.1:x",
    ),
]
_PATHS = [
    *("/acme/app.git", "/acme/app", ":acme/app", "/", "", "/~-x", f":-u{COMMAND}", f"/;{COMMAND};"),
    *(f"/$({COMMAND})", f"/'{COMMAND}'", f"/?token={SECRET}", f"/#{SECRET}", f"/a@{SECRET}"),
    *(f"/|{COMMAND}", f"/&&{COMMAND}", "/..", "/%0a", "/\\", "::x", "=x", "/--upload-pack=x"),
]
_WHOLE = [
    f"--upload-pack={COMMAND}",
    f"-u{COMMAND}",
    f"ext::sh -c {COMMAND}",
    f"ext::{COMMAND}",
    f"ssh://-oProxyCommand={COMMAND}/x",
    f"git@-oProxyCommand={COMMAND}:x",
    "fd::0",
]
_REFS = [
    *("", "main", "feature/x", "refs/tags/v1", "HEAD", "-x", "--all", f"--upload-pack={COMMAND}"),
    *("+x", "^x", "a:b", "a..b", "@{1}", "*", f"$({COMMAND})", f";{COMMAND}", "refs/", "refs/../x"),
    *("x.lock", "é", "--end-of-options", "--", "-", "refs/heads/-x", "a//b", "/", ".", "@"),
]
_DAMAGE = [
    "\n",
    "\0",
    " ",
    "\t",
    "\r",
    "@",
    ":",
    "/",
    "-",
    "--",
    "%",
    "%0a",
    "\\",
    "'",
    '"',
    "$",
    "é",
]
_DAMAGE += ["\u2028", "\u202e", "\ud800", "#", "?", "=", "[", "]", "\x7f", "‥", "＠", "／"]  # noqa: RUF001


def hostile(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Pairs of an address and a ref."""
    random = Random(seed)  # noqa: S311 -- repeatable, not secret
    for _ in range(count):
        yield _damaged(random, _address(random)), _damaged(random, random.choice(_REFS))


def _address(random: Random) -> str:
    if random.random() < 0.1:
        return random.choice(_WHOLE)
    return "".join(random.choice(parts) for parts in (_SCHEMES, _USERS, _HOSTS, _PATHS))


def _damaged(random: Random, text: str) -> str:
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        at = random.randint(0, len(text))
        text = text[:at] + random.choice(_DAMAGE) + text[at + random.choice((0, 0, 1)) :]
    return text
