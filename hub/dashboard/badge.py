"""A status badge: a small SVG that stands alone."""

from html import escape

from hub.dashboard.text import visible

CHARACTER_WIDTH = 6.6  # of an 11 px sans-serif letter, about
PADDING = 12
_GOOD, _BAD, _CALM = "#1a7f4b", "#b3261e", "#5a6577"
_MOST_CHARACTERS = 60

_TEMPLATE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img"'
    ' aria-label="{name}: {state}"><title>{name}: {state}</title>'
    '<rect width="{width}" height="20" rx="4" fill="#333b48"/>'
    '<path d="M{left} 0h{rest}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{rest}z" fill="{colour}"/>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="6" y="14">{name}</text><text x="{text}" y="14">{state}</text></g></svg>'
)


def badge(name: str, state: str) -> bytes:
    """A name and a state as SVG; both may be anything."""
    name, state = visible(name)[:_MOST_CHARACTERS], visible(state)[:_MOST_CHARACTERS]
    left = round(len(name) * CHARACTER_WIDTH) + PADDING
    right = round(len(state) * CHARACTER_WIDTH) + PADDING
    return _TEMPLATE.format(
        width=left + right,
        left=left,
        rest=right - 4,
        text=left + PADDING // 2,
        name=escape(name),
        state=escape(state),
        colour=_colour(state),
    ).encode()


def _colour(state: str) -> str:
    if any(word in state for word in ("failed", "rolled", "quarantined")):
        return _BAD
    return _GOOD if state in {"running", "built", "unchanged"} else _CALM
