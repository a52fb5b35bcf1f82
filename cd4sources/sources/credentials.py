"""
Who we are to a remote, and how that reaches git: over an inherited pipe.

Nothing secret is in argv, environment, disk or logs. git asks a credential helper, of which it
tells only host and protocol; ours is a small shell script, the same for everybody, that reads the
answer from a pipe; its environment says only the pipe's number. git is told to ask it for one
origin: a redirect or a submodule elsewhere gets nothing. See
https://git-scm.com/docs/gitcredentials#_custom_helpers and, for the key,
https://man.openbsd.org/ssh_config#IdentityFile
"""

import base64
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cd4sources.settings import RepositorySettings
from cd4sources.sources.addresses import MAX_CHARACTERS, Address, BadTarget

_USER = "git"  # forges look at the token alone, but want some user beside it
_NO_PASSWORD = "x-oauth-basic"  # noqa: S105 -- what GitHub has beside a token that is the user
_SHORTEST_TOKEN = 12  # a shorter user is a name, and stands in many a word
_ANSWERS = 8  # git asks once a connection it opens; what is left over is never read
_VARIABLE = "DIRECTCD_CREDENTIAL"
_SCRIPT = f"""\
#!/bin/sh
test "$1" = get || exit 0
{{ IFS= read -r user && IFS= read -r password; }} <"/dev/fd/${_VARIABLE}" || exit 0
printf 'username=%s\\npassword=%s\\n' "$user" "$password"
"""


class NoCredential(Exception):
    """The file with the password cannot be read, or holds none; the message names the file."""


@dataclass(frozen=True)
class Login:
    """User and password, as they are now; masked wherever they are printed."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header (https://www.rfc-editor.org/rfc/rfc7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def masked(self, text: str) -> str:
        """The text without the secret, in whatever way a remote had it echoed."""
        secret = self.user if self.password in {"", _NO_PASSWORD} else self.password
        if secret == self.user and len(secret) < _SHORTEST_TOKEN:
            return text
        for form in (self.basic.removeprefix("Basic "), secret, quote(secret, safe="")):
            text = text.replace(form, "***")
        return text


@dataclass(frozen=True)
class Credential:
    """What to answer a remote that asks who we are: a login for one origin, or an ssh key."""

    origin: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    ssh_key_file: Path | None = None

    @classmethod
    def of(cls, address: Address, settings: RepositorySettings) -> "Credential | None":
        """
        The credential that a repository's settings describe, if any.

        Raises:
            BadTarget: They contradict each other.
        """
        key = settings.ssh_key_file
        if settings.password_file or settings.user or address.user or address.password:
            return _login(address, settings)
        if key is None:
            return None
        if address.scheme != "ssh":
            raise BadTarget("`ssh_key_file` is for ssh urls; for https give a `password_file`")
        if not str(key).isprintable() or set("%$") & set(str(key)):
            raise BadTarget("ssh gives '%' and '$' in `ssh_key_file` a meaning; rename it")
        return cls(ssh_key_file=key)

    def login(self) -> Login | None:
        """
        User and password, the file's as it is now: it can be rotated.

        Raises:
            NoCredential: The file cannot be read, or holds no single line.
        """
        if not self.origin:
            return None
        if self.password_file is None:
            return Login(self.user, self.password)
        return Login(self.user, _line_of(self.password_file))

    @property
    def ssh_options(self) -> str:
        """What `ssh` is given in a shell's command line, to use this key and no other."""
        key = self.ssh_key_file
        return f" -oIdentitiesOnly=yes -i {shlex.quote(str(key))}" if key else ""


@dataclass(frozen=True)
class Answering:
    """What a git that may ask needs: options, variables, and the pipe to inherit."""

    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()


@contextmanager
def answering(origin: str, login: Login | None, home: Path) -> Iterator[Answering]:
    """
    Keep the answer ready while a git command runs.

    Args:
        origin: The only one that is answered.
        login: User and password; None: git must not ask.
        home: Directory for the script.
    """
    if login is None:
        yield Answering()
        return
    pipe = _filled(f"{login.user}\n{login.password}\n")
    helper = f"credential.{origin}.helper=!{shlex.quote(str(_script(home)))}"
    try:
        yield Answering(("-c", helper), {_VARIABLE: str(pipe)}, (pipe,))
    finally:
        os.close(pipe)


def _login(address: Address, settings: RepositorySettings) -> Credential:
    user, file = settings.user or address.user, settings.password_file
    if not address.origin:
        raise BadTarget("`user` and `password_file` are for http(s); give ssh a `ssh_key_file`")
    if file and address.password:
        raise BadTarget("a repository has a password in its url and a `password_file`; drop one")
    if not file and settings.user:
        raise BadTarget("`user` needs a `password_file` beside it")
    if settings.ssh_key_file:
        raise BadTarget("`ssh_key_file` is for ssh urls, `password_file` for http(s); drop one")
    if not _is_line(user) or not _is_line(address.password):
        raise BadTarget("a repository's user or password holds a line break or is too long")
    return Credential(address.origin, user or _USER * bool(file), address.password, file)


def _line_of(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            password = opened.read(MAX_CHARACTERS + 2).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise NoCredential(f"password_file {file}: {reason}") from None
    if not password or not _is_line(password):
        raise NoCredential(f"password_file {file}: not one line with a password")
    return password


def _is_line(text: str) -> bool:
    """Git reads a credential as one line; a longer one than fits the pipe would block."""
    return text == "" or (text.isprintable() and len(text.encode()) <= MAX_CHARACTERS)


def _filled(lines: str) -> int:
    """The read end of a pipe that holds the lines several times; too short to block on."""
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, lines.encode() * _ANSWERS)
    finally:
        os.close(write_end)
    return read_end


def _script(home: Path) -> Path:
    """The script, written anew when it is missing or was changed."""
    script = home / "credential.sh"
    if not script.exists() or script.read_text(encoding="utf-8") != _SCRIPT:
        fresh = script.with_suffix(".new")
        fresh.write_text(_SCRIPT, encoding="utf-8")
        fresh.chmod(0o700)
        fresh.replace(script)
    return script
