"""Every "no" of the server as application/problem+json (RFC 9457): what, why, what to do next."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class Problem(Exception):
    """An answer that says no."""

    def __init__(
        self, status: int, code: str, detail: str, step: str, headers: dict[str, str] | None = None
    ) -> None:
        """Keep status, machine-readable code, reason, next step and extra headers."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.step = step
        self.headers = headers


def answer_with_problems(app: FastAPI) -> None:
    """Make every error answer of an application a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 -- registered for this class alone
    return response(error)


async def _framework(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    code = HTTPStatus(error.status_code).name.lower().replace("_", "-")
    step = "see /openapi.json for what there is"
    return response(Problem(error.status_code, code, str(error.detail), step, headers))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return response(
        Problem(400, "bad-request", f"{where}: {first['msg']}", "correct the parameter")
    )


def response(problem: Problem) -> JSONResponse:
    """The answer that a problem is."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": str(problem),
        "next": problem.step,
    }
    media_type = "application/problem+json"
    return JSONResponse(body, problem.status, problem.headers, media_type=media_type)
