"""
Check that docs/reference says what the code does; with `--write`, have it say so.

scripts/check does the one, scripts/fix the other.
"""

import logging
import sys

from tests.support.reference.pages import PLACE, pages


def main() -> None:
    """Read or write all pages."""
    logging.disable()  # what a hub says of a refused delivery is what was asked for
    wanted = pages(PLACE)
    stale = [file for file, text in wanted.items() if file.read_text(encoding="utf-8") != text]
    if sys.argv[1:] == ["--write"]:
        for file in stale:
            file.write_text(wanted[file], encoding="utf-8")
    elif stale:
        names = ", ".join(file.name for file in stale)
        sys.exit(f"docs/reference: {names}: not what the code says; run scripts/fix")


if __name__ == "__main__":
    main()
