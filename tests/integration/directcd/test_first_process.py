"""A container's first process is the parent of every orphan in it."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, os
from cd4sources.running import reaping
from directcd import process
from tests.support.waiting import eventually

def ended_orphan():
    try: return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError: return False

async def part(life):
    assert os.getpid() == 1
    process = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.1 & exit 3")
    assert await process.wait() == 3
    await eventually(ended_orphan)
    await eventually(lambda: not ended_orphan())

reaping.GRACE_SECONDS = 0.1
process.run(part)
"""


def test_it_collects_orphans_that_have_ended() -> None:
    """Whatever part it runs; else they fill the process table."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    if "unshare: " in done.stderr and os.environ.get("CI") != "true":
        pytest.skip("needs the right to make a process namespace")
    assert (done.returncode, done.stderr) == (0, "")
