"""Can each repository be asked for its ref, with the credential that the configuration gives it?"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cd4sources.sources.git import Git
from cd4sources.sources.repository import Mirror, RepositoryError
from cd4sources.targets import Repository, Target
from directcd.doctor.findings import Finding, ok, problem
from directcd.doctor.names import lookup

Located = tuple[str, Repository]


def located(targets: list[Target]) -> Iterator[Located]:
    """Every repository, with its key; the same one at the same ref once."""
    seen: set[Repository] = set()
    for target in targets:
        for number, one in enumerate(target.repositories):
            if one not in seen:
                seen.add(one)
                yield f"target.{target.name}.repositories[{number}]", one


async def check(repository: Repository, where: str, git: Git) -> list[Finding]:
    """Ask the remote for the ref, as the server does, and fetch nothing."""
    if (host := _host(repository)) and (unknown := await lookup(host, where)).severity != "ok":
        return [unknown]
    with tempfile.TemporaryDirectory(dir=git.data) as place:
        try:
            await Mirror(Path(place) / "mirror", repository, git).look_up()
        except RepositoryError as error:
            what, _, step = str(error).partition("; next: ")
            return [problem(what, where, step)]
    return [ok(f"{repository.url} answers, and has {repository.ref or 'a HEAD'}", where)]


def _host(repository: Repository) -> str:
    # An ssh host may be an alias in ~/.ssh/config, which only ssh knows.
    parts = urlsplit(repository.url) if "://" in repository.url else None
    return parts.hostname or "" if parts and parts.scheme in {"http", "https", "git"} else ""
