"""Every error of the routes answers as a problem."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hub.api.api_bodies import BodyRefused
from hub.log.base import LogUnavailable
from hub.problem import MEDIA_TYPE, Problem, mistake

JSON = "application/json"
_LATER = {"retry-after": "2"}  # seconds


def log_unavailable(error: LogUnavailable) -> Problem:
    """What is answered while the log cannot be asked."""
    step = "try again when the hub's log is back; /readyz says what it is missing"
    return Problem(503, "log-unavailable", str(error), step)


class ForPeople(Protocol):
    """Shows a problem on a page."""

    async def problem(self, request: Request, problem: Problem) -> Response:
        """The whole answer."""


def install(app: FastAPI, pages: ForPeople) -> None:
    """Answer with problems, also where the framework has errors of its own; people see a page."""
    answer = partial(_answer, pages)

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return await answer(request, problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return await answer(request, _invalid(request, error))

    @app.exception_handler(BodyRefused)
    async def on_body(_: Request, error: BodyRefused) -> Response:
        unavailable = error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        return _response(error.problem, _LATER if unavailable else None)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        step = "deliveries go to /webhooks/PROVIDER/NAME; for the API see /openapi.json"
        problem = Problem(error.status_code, code, str(error.detail), step)
        return await answer(request, problem, error.headers)

    @app.exception_handler(LogUnavailable)
    async def on_log_unavailable(request: Request, error: LogUnavailable) -> Response:
        return await answer(request, log_unavailable(error), _LATER)

    @app.exception_handler(Exception)
    async def on_mistake(_: Request, error: Exception) -> Response:  # noqa: ARG001 - logged above
        return _response(mistake())


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if first["loc"][0] == "body" and media_type != JSON:
        detail = f"the body's content type is {media_type or 'not said'}"
        return Problem(415, "unsupported-content-type", detail, f"send Content-Type: {JSON}")
    place = ".".join(str(part) for part in first["loc"])
    return Problem(400, "invalid-request", f"{place}: {first['msg']}", "see /openapi.json")


def _is_for_people(request: Request) -> bool:
    is_api = request.url.path.startswith(("/v1/", "/openapi.json"))
    return not is_api and "text/html" in request.headers.get("accept", "")


async def _answer(
    pages: ForPeople, request: Request, problem: Problem, headers: Mapping[str, str] | None = None
) -> Response:
    if _is_for_people(request):
        return await pages.problem(request, problem)
    return _response(problem, headers)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(problem.as_bytes(), problem.status, headers, MEDIA_TYPE)
