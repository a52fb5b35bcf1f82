"""
Which part of a file a request asks for (https://www.rfc-editor.org/rfc/rfc9110#section-14). Pure.

One range is answered, for a broken download goes on in one place. Several are answered with the
whole file, which the RFC allows, and so is what is no range at all.
"""

import re

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.IGNORECASE | re.ASCII)


class Unsatisfiable(Exception):
    """The range begins behind the file's end."""


def asked_range(header: str, size: int) -> range | None:
    """
    The bytes that a Range header asks for; None: all of them, as if it was not there.

    Args:
        header: Its value, "" when there is none.
        size: Of the file.

    Raises:
        Unsatisfiable: It asks for bytes that do not exist.
    """
    found = _ONE_RANGE.fullmatch(header)
    first, last = found.groups() if found else ("", "")
    if not first:
        return _suffix(int(last), size) if last else None
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return range(int(first), min(int(last) + 1, size) if last else size)


def _suffix(length: int, size: int) -> range | None:
    if length == 0:
        raise Unsatisfiable
    return range(max(size - length, 0), size) if size else None
