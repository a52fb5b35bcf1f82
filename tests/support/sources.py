"""A real git repository that tests write commits into, as a developer would."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "dev",
    "GIT_AUTHOR_EMAIL": "dev@example.com",
    "GIT_COMMITTER_NAME": "dev",
    "GIT_COMMITTER_EMAIL": "dev@example.com",
}


class Source:
    """A repository with a work tree, on branch `main`."""

    def __init__(self, path: Path, *, object_format: str = "sha1") -> None:
        """Create it, without any commit."""
        self.path = path
        path.mkdir(parents=True)
        kind = f"--object-format={object_format}"
        self.git("init", "--quiet", "--initial-branch=main", kind)

    def git(self, *arguments: str) -> str:
        """Run git here; its output without the line's end."""
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", **_IDENTITY}
        argv = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Write files (None removes one), commit everything; the new commit's hash."""
        for name, text in files.items():
            path = self.path / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")
