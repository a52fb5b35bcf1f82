"""
How git is run: with a configuration of our own making, and nothing of the user's.

What a remote or a repository says can neither name a program to run nor an option. Errors of git
are results here; what they mean is known where it is called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cd4sources.running.commands import Command, Completed, inherited, run
from cd4sources.sources.credentials import Credential, Login, answering

_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "core.logAllRefUpdates=false"),
    *("-c", "credential.helper="),
    # It could lead the password to another host, and us to another repository.
    *("-c", "http.followRedirects=false"),
    *("-c", "fetch.recurseSubmodules=false"),
    *("-c", "safe.directory=*"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "pack.windowMemory=64m"),  # for packing; a build's neighbour has no gigabytes to spare
    # A connection that carries nothing for a minute is dead, however long a fetch may take.
    *("-c", "http.lowSpeedLimit=1"),
    *("-c", "http.lowSpeedTime=60"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_ASKPASS": "false",
    "LC_ALL": "C",
}
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=20"
_INHERITED = (
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def argv_of(
    command: str, options: Sequence[str] = (), values: Sequence[str] = (), extra: Sequence[str] = ()
) -> tuple[str, ...]:
    """
    The whole command line: options are ours and literal, values can only be values.

    Args:
        command: Name of the git command.
        options: Its options.
        values: Addresses, refs, commits and paths, from wherever.
        extra: Options of git itself, beside those that every call has.
    """
    marked = ("--end-of-options", *values) if values else ()
    return ("git", *_OPTIONS, *extra, command, *options, *marked)


@dataclass(frozen=True)
class Git:
    """Where git may work, and for how long: what every call of it shares."""

    data: Path
    timeout_seconds: float

    @property
    def home(self) -> Path:
        """A home directory without anybody's settings."""
        return self.data / "home"

    async def __call__(
        self,
        command: str,
        *options: str,
        values: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        credential: Credential | None = None,
    ) -> Completed:
        """
        Run one git command; its exit status is the caller's to judge.

        Args:
            command: Name of the git command.
            options: Literal options.
            values: What follows them, from wherever it comes.
            env: GIT_DIR, GIT_WORK_TREE and GIT_INDEX_FILE, where the command needs them.
            credential: What to answer a remote that asks.

        Raises:
            CommandError: git is missing or took too long.
            NoCredential: The password's file cannot be read.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        credential = credential or Credential()
        login = credential.login()
        with answering(credential.origin, login, self.home) as answer:
            asked = Command(
                argv=argv_of(command, options, values, answer.options),
                label=f"git {command}",
                cwd=self.home,
                env=self._environment(credential) | dict(env or {}) | answer.env,
                owner=self.data,
                timeout_seconds=self.timeout_seconds,
                pass_fds=answer.pass_fds,
            )
            done = await run(asked)
        return _masked(done, login) if login else done

    def _environment(self, credential: Credential) -> dict[str, str]:
        home = {"HOME": str(self.home), "GIT_SSH_COMMAND": _SSH + credential.ssh_options}
        return {**inherited(*_INHERITED), **_ENVIRONMENT, **home}


def _masked(done: Completed, login: Login) -> Completed:
    """What is shown may hold what a remote was sent; what is only read stays as it is."""
    return replace(done, tail=login.masked(done.tail))
