"""
What `/openapi.json` says beyond what FastAPI knows: /watch, which scope of a token each path asks
for, and that every "no" is a problem.
"""

from typing import Any

from pydantic.json_schema import models_json_schema

from cd4sources.api import watching
from cd4sources.api.guarding import PUBLIC, needed
from cd4sources.keeping.versions import Record

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}

_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "next"],
    "properties": {
        **dict.fromkeys(("type", "title", "code", "detail", "next"), _TEXT),
        "status": {"type": "integer"},
    },
}


def completed(document: Schema) -> Schema:
    """FastAPI's document with what it does not know."""
    _, models = models_json_schema(
        [(Record, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(models["$defs"])
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    document["paths"][watching.PATH] = {"get": _WATCH}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), path)
    return document


def _complete(operation: Schema, method: str, path: str) -> None:
    answers = operation["responses"]
    if answers.pop(_INVALID, None):
        answers["400"] = _refused("A parameter or the body is not as it should be.")
    if path in PUBLIC:
        operation["security"] = []
    else:
        # A server without tokens asks for none.
        operation["security"] = [{"token": [needed(method)]}, {}]
        answers |= {"401": _REFUSED_401, "403": _REFUSED_403}
    answers.setdefault("default", _refused("Every other no."))


def _parameter(name: str, description: str, schema: Schema = _TEXT, **more: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema} | more


def _refused(description: str) -> Schema:
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }


_INVALID = "422"  # what FastAPI would answer, if the server let it
_REFUSED_401 = _refused("The token is missing or not known.")
_REFUSED_403 = _refused("The token is not for this; or Host is not for a server of here.")

_WATCH: Schema = {
    "summary": "Watch",
    "tags": ["versions"],
    "description": "Answers when the version of a target differs from `version`.",
    "parameters": [
        _parameter(
            "repo",
            "the target's repositories, in any spelling and order; `R2=R3` names a replacement",
            {"type": "array", "items": _TEXT, "minItems": 1},
            required=True,
            explode=True,
        ),
        _parameter("ref", "of the first repository, when several targets are made of these"),
        _parameter("version", "the one the client has: answered is another one"),
        _parameter("running", "the one that the client runs; default: `version`"),
        _parameter("timeout", "in seconds, 300 at most; default 50", {"type": "number"}),
        _parameter("If-None-Match", "the ETag of an answer") | {"in": "header"},
    ],
    "responses": {
        "200": {
            "description": "The version to run.",
            "headers": {"ETag": {"schema": _TEXT}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Record"}}},
        },
        "204": {
            "description": "Nothing new in time, or a little before it: ask again.",
            "headers": {},
        },
        "304": {"description": "It is what If-None-Match names."},
        "400": _refused("A parameter is malformed."),
        "404": _refused("No target is made of these repositories; the nearest is named."),
        "405": _refused("It was not asked with GET."),
        "409": _refused("Several targets are made of them: name the ref."),
        "503": _refused("Stopping, or full; Retry-After says when to come again."),
    },
}
