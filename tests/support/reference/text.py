"""Markdown that a forge and the site read alike."""

import re
from collections.abc import Iterable, Sequence


def flat(text: str) -> str:
    """A text on one line, in which nothing outside of code is taken for HTML."""
    pieces = re.split("(`[^`]*`)", " ".join(text.split()))
    return "".join(one if one.startswith("`") else one.replace("<", "\\<") for one in pieces)


def sentence(text: str) -> str:
    """The same with a full stop, if anything is said."""
    text = flat(text)
    return text if not text or text.endswith((".", "?", "!", "…", ":", ".)")) else f"{text}."


def capital(text: str) -> str:
    """The same with a capital letter in front."""
    return text[:1].upper() + text[1:]


def anchor(heading: str) -> str:
    """A heading's name in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def code(text: str) -> str:
    """As code."""
    return f"`{text}`"


def words(codes: Iterable[str]) -> str:
    """Several pieces of code: `a`, `b`."""
    return ", ".join(map(code, codes))


def one_of(names: Sequence[str]) -> str:
    """`a` or `b`."""
    return words(names[:-1]) + (" or " if names[:-1] else "") + code(names[-1])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; of a cell with a bar in it the two readers make different things."""
    lines = [header, ["---"] * len(header), *rows]
    assert not any("|" in cell for row in lines for cell in row)
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def paragraphs(*parts: str) -> str:
    """Parts with an empty line between them; those that are empty are left out."""
    return "\n\n".join(part for part in parts if part)


def bullets(items: Iterable[str], *, depth: int = 0) -> str:
    """A list; `depth` is how many lists it stands in."""
    return "\n".join(f"{'    ' * depth}- {item}" for item in items)


def block(text: str, language: str = "") -> str:
    """Lines as they are."""
    return f"```{language}\n{text.rstrip()}\n```"
