"""docs/reference/hub-api.md and server-api.md, from /openapi.json and what is answered."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from cd4sources.server import create_app as create_server
from cd4sources.settings import ServerSettings
from directcd.serving import tell_version
from hub.app import create_app as create_hub
from tests.support.hubs import settings as hub_settings
from tests.support.reference.answers import Answers, hub_answers, server_answers
from tests.support.reference.schemas import Schema, alternatives, facts, resolved
from tests.support.reference.text import (
    anchor,
    block,
    bullets,
    capital,
    code,
    one_of,
    paragraphs,
    sentence,
)

_GENERAL = ("A parameter or the body", "The token is", "Every other no")


def hub_text() -> str:
    """What is made of the hub's page."""
    with tempfile.TemporaryDirectory() as place:
        app = create_hub(hub_settings(Path(place)))
        tell_version(app)
        return _text(app.openapi(), hub_answers(Path(place)))


def server_text() -> str:
    """What is made of the server's page."""
    with tempfile.TemporaryDirectory() as place:
        app = create_server(ServerSettings(data=Path(place)), [])
        tell_version(app)
        return _text(app.openapi(), server_answers(Path(place)))


def _text(document: Schema, answers: Answers) -> str:
    sections: dict[str, list[str]] = {}
    shown: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method.upper()} {path}"
            form = _form(name, answers.get(name, ""), shown)
            section = sections.setdefault(operation["tags"][0], [])
            section.append(_operation(name, operation, document, form))
    told = [paragraphs(f"## {tag.capitalize()}", *those) for tag, those in sections.items()]
    return paragraphs(*told)


def _form(name: str, form: str, shown: dict[str, str]) -> str:
    """What is answered, or where the same is shown already."""
    first = shown.setdefault(form, name)
    if not form or first == name:
        return block(form) if form else ""
    return f"As [{first}](#{anchor(first)})."


def _operation(name: str, operation: Schema, document: Schema, form: str) -> str:
    return paragraphs(
        f"### {name}",
        *map(sentence, operation.get("description", "").split("\n\n")),
        _scope(operation),
        _listed("Parameters", _parameters(operation, document)),
        _listed("Body", _body(operation, document)),
        _answers(operation, has_form=bool(form)),
        form,
    )


def _scope(operation: Schema) -> str:
    scopes = [scope for one in operation["security"] for scope in one.get("token", ())]
    return f"Scope {one_of(scopes)}." if scopes else "No token is asked for."


def _listed(title: str, items: Iterator[str]) -> str:
    found = "\n".join(items)
    return f"{title}:\n\n{found}" if found else ""


def _parameters(operation: Schema, document: Schema) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        required = one.get("required", False) and one["in"] != "path"
        about = facts(one["name"], one["schema"], document, required=required)
        place = ", a header" if one["in"] == "header" else ""
        what = capital(one.get("description") or one["schema"].get("description", ""))
        if what or one["in"] != "path":
            yield f"- {code(one['name'])} ({about}{place}): {sentence(what)}"


def _body(operation: Schema, document: Schema) -> Iterator[str]:
    contents = operation.get("requestBody", {}).get("content", {})
    if (found := contents.get("application/json")) and "tags" in operation:
        yield from _members(found["schema"], document, 0)


def _members(schema: Schema, document: Schema, depth: int) -> Iterator[str]:
    """The members of an object, and below each those of what it holds."""
    for one in (resolved(choice, document) for choice in alternatives(schema)):
        for name, member in one.get("properties", {}).items():
            required = name in one.get("required", ())
            about = facts(name, member, document, required=required)
            what = sentence(member.get("description", ""))
            yield bullets([f"{code(name)} ({about}): {what}".rstrip(": ")], depth=depth)
            inner = resolved(member, document)
            yield from _members(
                resolved(inner.get("items") or inner, document), document, depth + 1
            )


def _answers(operation: Schema, *, has_form: bool) -> str:
    found = list(_statuses(operation))
    if len(found) == 1 and ":" not in found[0]:
        return f"Answers {found[0].removeprefix('- ')}{':' if has_form else '.'}"
    return _listed("Answers", iter(found))


def _statuses(operation: Schema) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        what = answer["description"].replace("Successful Response", "")
        if what.startswith(_GENERAL):
            continue
        kinds = [one for one in answer.get("content", {}) if one != "application/json"]
        parts = [sentence(what), *(f"As {code(one)}." for one in kinds if "problem" not in one)]
        yield f"- {code(status)}: {' '.join(filter(None, parts))}".rstrip(": ")
