"""What somebody who mistyped a key may have meant."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel


def meant(model: type[BaseModel], place: Sequence[int | str]) -> str:
    """
    The end of a message about an unknown key: the nearest known one, or all there are.

    Args:
        model: What the whole document is read as.
        place: The way to the key, as pydantic's errors give it.
    """
    near = nearest(model, place)
    known = ", ".join(sorted(_inside(model, place[:-1]).model_fields))
    return f'; did you mean "{near}"?' if near else f"; known are {known}"


def nearest(model: type[BaseModel], place: Sequence[int | str]) -> str:
    """The known key that is nearest to an unknown one; "" when none is near."""
    *way, key = place
    known = sorted(_inside(model, way).model_fields)
    return next(iter(get_close_matches(str(key), known, n=1)), "")


def _inside(model: type[BaseModel], way: Sequence[int | str]) -> type[BaseModel]:
    for step in way:
        field = model.model_fields.get(str(step))  # other steps are items of a list or a table
        found = list(_models(field.annotation)) if field else []
        model = found[0] if found else model
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in get_args(annotation) for one in _models(part)]
