"""An answer over HTTP, and its value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cd4sources.http_errors import BadAnswer, shown

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, model: type[Model]) -> Model:
        """
        Return the JSON body as a value.

        Raises:
            BadAnswer: The body is not such a value.
        """
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadAnswer(
                f"{shown(self.url)}: the answer is not a {model.__name__}: {where} {first['msg']}"
            ) from error
