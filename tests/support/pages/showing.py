"""Whether an output is what a page shows of it. Pure."""

import re

_ANYTHING = "…"
_OF_ONE_RUN = (
    (r"\x1b\[[0-9;]*m", ""),  # a colour
    (r"\bv-[0-9a-f]{12}\b", "VERSION"),
    (r"\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b", "COMMIT"),
    (r"\b\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\b\d+(?:\.\d+)? m?s\b", "DURATION"),
    (r"#+", "#"),  # a bar
    (r"\s+", " "),
)


def missing(shown: str, output: str) -> str:
    """
    The first line of a page that does not occur in an output; empty when all do, in their order.

    `…` stands for anything within a line, and a line of it for any lines; other lines may stand
    between. What is another one at each run is not compared: versions, commits, times, durations,
    the length of bars and gaps.
    """
    lines = iter([_normal(line) for line in output.splitlines()])
    for wanted in map(_normal, shown.splitlines()):
        pattern = re.compile(".*".join(map(re.escape, wanted.split(_ANYTHING))))
        if wanted not in {"", _ANYTHING} and not any(map(pattern.fullmatch, lines)):
            return wanted
    return ""


def _normal(line: str) -> str:
    for pattern, word in _OF_ONE_RUN:
        line = re.sub(pattern, word, line)
    return line.strip()
