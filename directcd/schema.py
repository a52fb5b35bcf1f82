"""directcd.toml as JSON Schema, from the settings themselves."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from directcd.config import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Untitled(GenerateJsonSchema):
    """Gives no field a title: it would be its name once more, in capitals."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def schema() -> dict[str, Any]:
    """The document; its descriptions are those of docs/reference/settings.md."""
    found = Config.model_json_schema(schema_generator=_Untitled)
    return {"$schema": DIALECT, **found, "title": "directcd.toml"}
