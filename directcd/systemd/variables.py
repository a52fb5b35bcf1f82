"""Reads numbers that a service manager has put into the environment; nonsense is no number."""

import logging
from collections.abc import MutableMapping

MOST_DIGITS = 12
"""Microseconds of eleven days; Python's own limits are far beyond."""

logger = logging.getLogger(__name__)


def taken_number(environment: MutableMapping[str, str], name: str, most: int | None = None) -> int:
    """
    Return a variable's number, 0 without one; the environment has the variable no longer.

    What is no decimal of at most 12 digits, or more than `most`, counts as 0, which is logged.
    """
    text = environment.pop(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    if is_number and (most is None or int(text) <= most):
        return int(text)
    if text:
        keys = {"variable": name, "value": text[: MOST_DIGITS + 1]}
        logger.warning("a variable of the service manager is no sensible number", extra=keys)
    return 0
