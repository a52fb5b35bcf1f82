"""
Values as a person reads them; strangers' text as text.

Jinja2 escapes what HTML would obey. What a reader would not see, or would see in another order, is
made visible here: control characters, and those that turn the direction of writing
(https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
"""

import re
from datetime import datetime

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_MOST_CHARACTERS = 4_000
_COMMIT_CHARACTERS = 12
_EXACT_MS, _SECOND_MS = 10.0, 1_000.0
_MINUTE_MS = 60_000.0
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def visible(text: object) -> str:
    """Text in which nothing is hidden: what is not seen is shown by its number."""
    shown = _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))
    return shown if len(shown) <= _MOST_CHARACTERS else shown[:_MOST_CHARACTERS] + " …"


def short(commit: object) -> str:
    """A commit as people write it."""
    return visible(commit or "")[:_COMMIT_CHARACTERS]


def branch(ref: object) -> str:
    """A ref as people say it."""
    return visible(ref or "").removeprefix("refs/heads/").removeprefix("refs/")


def duration(milliseconds: float) -> str:
    """So that it can be compared: 387 ms, 2.4 s, 3 min 12 s."""
    if 0 < milliseconds < _EXACT_MS:
        return f"{milliseconds:.1f} ms"
    if milliseconds < _SECOND_MS:
        return f"{milliseconds:.0f} ms"
    if milliseconds < _MINUTE_MS:
        return f"{milliseconds / _SECOND_MS:.1f} s"
    minutes, seconds = divmod(round(milliseconds / _SECOND_MS), 60)
    return f"{minutes} min {seconds} s"


def ago(time: datetime, now: datetime) -> str:
    """How long since, in one unit."""
    seconds = (now - time).total_seconds()
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            number = f"{abs(seconds) // size:.0f} {unit}"
            return f"{number} ago" if seconds > 0 else f"in {number}"
    return "just now" if seconds >= 0 else f"in {-seconds:.0f} s"


def size(count: float) -> str:
    """Bytes in one unit."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - as people count bytes
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
