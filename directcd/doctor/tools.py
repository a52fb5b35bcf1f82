"""The programs that directcd calls: git, go, bubblewrap."""

import re
from pathlib import Path
from shutil import which

from cd4sources.building import BuildFailed, NoToolchain
from cd4sources.building.go_tool import version as go_version
from cd4sources.running.commands import CommandError
from cd4sources.sources.git import Git
from directcd.config import Config
from directcd.doctor.findings import Finding, ok, problem

OLDEST_GIT = (2, 30)
"""`git maintenance` and what of it is switched off; https://git-scm.com/docs/git-maintenance"""


async def git(run: Git) -> list[Finding]:
    """Which git there is."""
    wanted = ".".join(map(str, OLDEST_GIT))
    try:
        said = (await run("version")).stdout.strip()
    except CommandError as error:
        return [problem(str(error), "", f"install git {wanted} or later and put it on the PATH")]
    found = re.search(r"(\d+)\.(\d+)", said)
    if not found or (int(found[1]), int(found[2])) < OLDEST_GIT:
        return [problem(f"{said} is too old", "", f"install git {wanted} or later")]
    return [ok(said)]


async def go(place: Path) -> list[Finding]:
    """Which go there is, if any: only what has no build.sh needs it."""
    try:
        return [ok((await go_version(place)).strip())]
    except NoToolchain:
        return [ok("no go on the PATH: what has no build.sh cannot be built")]
    except BuildFailed as error:
        return [problem(str(error), "", "see why go does not run here")]


def bubblewrap(config: Config) -> list[Finding]:
    """Is there a sandbox, where one is wanted?"""
    if not config.server or config.server.build_sandbox == "none" or which("bwrap"):
        return []
    step = 'install the package bubblewrap, or set build_sandbox = "none"'
    return [problem("there is no bwrap on the PATH", "server.build_sandbox", step)]
