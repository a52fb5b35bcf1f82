"""Orphans are adopted, collected, and ended with their last parent."""

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.cd4sources import adopting_process
from tests.support.processes import daemon_command, is_alive


def test_orphans_are_adopted_collected_and_ended(tmp_path: Path) -> None:
    """Also without any environment; and nobody's exit status is taken away."""
    pid_file = tmp_path / "pid"
    command = [sys.executable, adopting_process.__file__, daemon_command(pid_file), str(pid_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert json.loads(done.stdout) == {"adopted": True, "statuses": list(range(20))}
    assert done.stderr == ""
    assert not is_alive(int(pid_file.read_text()))
