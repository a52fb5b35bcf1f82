"""What no committed file may hold: addresses of package registries, paths of one machine."""

import re
import subprocess
import sys
from pathlib import Path

# With brackets, so that this file does not hold what it looks for.
FORBIDDEN = re.compile(
    r"p[y]pi\.org|p[y]thonhosted|registry\.n[p]mjs|proxy\.g[o]lang|deb\.d[e]bian\.org|/[w]ork/|/[f]arm/"
)


def committed() -> list[Path]:
    """Every file git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    return [Path(name) for name in listed.stdout.splitlines()]


def offences() -> list[str]:
    """`file:line: text` for each place."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in committed()
        if path.is_file()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]


if __name__ == "__main__":
    found = offences()
    sys.stderr.write("".join(f"{line}\n" for line in found))
    sys.exit(1 if found else 0)
