"""Every error of the routes answers as a problem."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hub.log.base import LogUnavailable
from hub.problem import MEDIA_TYPE, Problem


def install(app: FastAPI) -> None:
    """Answer with problems, also where the framework has errors of its own."""

    @app.exception_handler(Problem)
    async def on_problem(_: Request, problem: Problem) -> Response:
        return _response(problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        detail = f"{place}: {first['msg']}"
        return _response(Problem(400, "invalid-request", detail, "see /openapi.json"))

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return _response(Problem(error.status_code, code, str(error.detail), "see /openapi.json"))

    @app.exception_handler(LogUnavailable)
    async def on_log_unavailable(_: Request, error: LogUnavailable) -> Response:
        step = "mend the hub's disk, then try again"
        return _response(Problem(503, "log-unavailable", str(error), step))


def _response(problem: Problem) -> Response:
    return Response(problem.as_bytes(), problem.status, media_type=MEDIA_TYPE)
