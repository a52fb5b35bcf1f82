"""
What `/openapi.json` says beyond what FastAPI knows: the paths that its router never sees, which
scope of a token each asks for, and that every "no" is a problem.
"""

from typing import Any

from hub.api import events, webhooks
from hub.api.guarding import is_public, needed
from hub.problem import MEDIA_TYPE

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _listed(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_CHANGE = _object(ref=_TEXT, before=_TEXT_OR_NULL, after=_TEXT_OR_NULL)
_MISS = _object(subscription=_TEXT, failed=_TEXT, wanted=_TEXT, got=_TEXT)
_EVENT: Schema = {
    "type": ["object", "null"],
    "required": ["repository"],
    "properties": {"repository": _TEXT, **_CHANGE["properties"]},
}

_EXPLANATION = _object(
    delivery=_TEXT,
    verdict={"enum": ["matched", "no-match", "ignored", "ping", "duplicate"]},
    reason=_TEXT,
    event=_EVENT,
    changes=_listed(_CHANGE),
    more={"type": "integer"},
    matched=_listed(_TEXT),
    nearest=_listed(_MISS),
    next=_TEXT,
    inspect=_TEXT_OR_NULL,
)
_POLLED = _object(cursor=_TEXT, gap=_TEXT_OR_NULL, events=_listed({"type": "object"}))
_PROBLEM = _object(
    type=_TEXT, title=_TEXT, status={"type": "integer"}, code=_TEXT, detail=_TEXT, next=_TEXT
)


def _answer(description: str, schema: Schema, media_type: str = "application/json") -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problems(**descriptions: str) -> Schema:
    return {
        status.removeprefix("_"): _answer(description, _PROBLEM, MEDIA_TYPE)
        for status, description in descriptions.items()
    }


def _parameter(name: str, description: str, schema: Schema = _TEXT, **more: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema} | more


def _in_path(name: str, description: str) -> Schema:
    return _parameter(name, description, required=True) | {"in": "path"}


_WEBHOOK: Schema = {
    "summary": "Deliver a webhook",
    "description": "For forges: what is in the body and how it is signed is up to the provider.",
    "tags": ["webhooks"],
    "parameters": [
        _in_path("provider", "which kind of forge: github, gitea, gitlab, …"),
        _in_path("source", "as configured; it may be left out when the provider has only one"),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-www-form-urlencoded": {"schema": _object(payload=_TEXT)},
        },
    },
    "responses": {
        "200": _answer("Nothing new: a repeat or a ping.", _EXPLANATION),
        "202": _answer("It is on disk, and this is whom it reaches, or why nobody.", _EXPLANATION),
    }
    | _problems(
        _400="It is not what this provider sends.",
        _401="The signature is missing or wrong.",
        _403="This source may not speak for the repository.",
        _404="There is no such source.",
        _405="Not a delivery: something followed a redirect, perhaps.",
        _408="It did not arrive in time.",
        _413="The body is too large.",
        _415="The body is neither JSON nor a form.",
        _429="Too many bad signatures; good ones are still taken.",
        _503="It was not stored; Retry-After says when to send it again.",
    ),
}

_CURSOR: Schema = {
    "X-Directcd-Cursor": {"description": "Where a poll goes on.", "schema": _TEXT},
}

_EVENTS: Schema = {
    "summary": "Follow pushes",
    "description": (
        "A stream with `Accept: text/event-stream`: `id` is the cursor, `event: gap` says that "
        "some may have passed by, `event: bye` that the hub goes away. Otherwise a long poll. "
        "Without a filter all pushes are told."
    ),
    "tags": ["events"],
    "parameters": [
        _parameter("subscription", "follow what a subscription wants, by its id"),
        _parameter("repository", "its URL, any spelling", _listed(_TEXT), explode=True),
        _parameter("ref", "of the repositories: full, short or a pattern"),
        _parameter("after", "a cursor: what follows it is told; default: what comes now"),
        _parameter("timeout", "of a poll, in seconds, 300 at most", {"type": "number"}),
        _parameter("Last-Event-ID", "a stream's cursor, before `after`") | {"in": "header"},
    ],
    "responses": {
        "200": {
            "description": "What happened, as CloudEvents.",
            "headers": _CURSOR,
            "content": {
                "text/event-stream": {"schema": _TEXT},
                "application/json": {"schema": _POLLED},
            },
        },
        "204": {
            "description": "Nothing within the timeout, or no cursor was given: here is one.",
            "headers": _CURSOR,
        },
    }
    | _problems(
        _400="A parameter is unknown, malformed, or contradicts another.",
        _404="There is no such subscription.",
        _405="Events are read with GET.",
        _503="The log cannot be asked now.",
    ),
}

_BY_GET: Schema = {
    "summary": "Deliver a webhook by GET",
    "description": "As Gitea and Gogs can be told to: the JSON text stands in the URL.",
    "tags": ["webhooks"],
    "parameters": [
        *_WEBHOOK["parameters"],
        _parameter("payload", "what would be the body", required=True),
    ],
    "responses": _WEBHOOK["responses"],
}

PATHS: Schema = {
    f"{webhooks.PREFIX}/{{provider}}/{{source}}": {"post": _WEBHOOK, "get": _BY_GET},
    events.PATH: {"get": _EVENTS},
}

_INVALID = "422"  # what FastAPI would answer, if the hub let it
_NO = "Every other no."


def completed(document: Schema) -> Schema:
    """FastAPI's document with what it does not know."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    document["paths"].update(PATHS)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method.upper(), path)
    return document


def _complete(operation: Schema, method: str, path: str) -> None:
    answers = operation["responses"]
    if answers.pop(_INVALID, None):
        answers.update(_problems(_400="A parameter or the body is not as it should be."))
    operation["security"] = []
    if path.startswith(webhooks.PREFIX):
        return
    if not is_public(path):
        # A hub without tokens asks for none.
        operation["security"] = [{"token": list(needed(method, path))}, {}]
        answers.update(
            _problems(
                _401="The token is missing or not known.",
                _403="The token is not good for this; or a web page from elsewhere asks.",
            )
        )
    answers.setdefault("default", _answer(_NO, _PROBLEM, MEDIA_TYPE))
