"""
How git is run: with a configuration of our own making, and nothing of the user's.

What a remote or a repository says can neither name a program to run nor an option. Errors of git
are results here; what they mean is known where it is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cd4sources.askpass import answering
from cd4sources.commands import Command, Completed, inherited, run
from cd4sources.targets import Credential

_OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "credential.helper="),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "fetch.recurseSubmodules=false"),
    *("-c", "safe.directory=*"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    # A connection that carries nothing for a minute is dead, however long a fetch may take.
    *("-c", "http.lowSpeedLimit=1"),
    *("-c", "http.lowSpeedTime=60"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20",
    "LC_ALL": "C",
}
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
        *arguments: str,
        env: Mapping[str, str] | None = None,
        credential: Credential | None = None,
    ) -> Completed:
        """
        Run one git command; its exit status is the caller's to judge.

        Args:
            arguments: Literal options, then `--end-of-options` or `--`, then values.
            env: GIT_DIR, GIT_WORK_TREE and GIT_INDEX_FILE, where the command needs them.
            credential: What to answer a remote that asks.

        Raises:
            CommandError: git is missing or took too long.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        # A redirect could lead the password to another host.
        redirects = f"http.followRedirects={'false' if credential else 'initial'}"
        with answering(credential, self.home) as asked:
            command = Command(
                argv=("git", *_OPTIONS, "-c", redirects, *arguments),
                label=f"git {arguments[0]}",
                cwd=self.home,
                env=self._environment() | dict(env or {}) | asked.env,
                owner=self.data,
                timeout_seconds=self.timeout_seconds,
                pass_fds=asked.pass_fds,
            )
            return await run(command)

    def _environment(self) -> dict[str, str]:
        return {**inherited(*_INHERITED), **_ENVIRONMENT, "HOME": str(self.home)}
