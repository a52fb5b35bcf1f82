"""
The first error in what a compiler said, which is the one to read: the others often follow from it.

Most compilers begin an error with `path:line:column: ` or `path:line: `, as the GNU Coding
Standards ask: https://www.gnu.org/prep/standards/html_node/Errors.html
"""

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(
    r"(?P<path>[^\s:'\"(]*\.(?P<ending>[A-Za-z][A-Za-z0-9+_]*)|(?:[^\s:]*/)?Makefile)"
    r":(?: ?line)? ?\d+(?P<column>:\d+)?: (?P<said>.+)"
)
_HARMLESS = re.compile(r"(warning|note|info|remark)\b", re.IGNORECASE)
_HOSTS = frozenset({"com", "dev", "internal", "io", "local", "localdomain", "net", "org"})
_MOST_CHARACTERS = 300


def first_error(tail: str) -> str:
    """
    The first line that names a file, a line in it, and what is wrong there; empty without one.

    Args:
        tail: What the compiler said; paths are relative to the tree already, or to be shown whole.
    """
    lines = (_COLOUR.sub("", line).strip().removeprefix("./") for line in tail.splitlines())
    return next((line[:_MOST_CHARACTERS] for line in lines if _is_error(line)), "")


def _is_error(line: str) -> bool:
    found = _ERROR.match(line)
    if not found or _HARMLESS.match(found["said"]):
        return False
    return bool(found["column"] or found["ending"] not in _HOSTS)  # host:port looks like path:line
