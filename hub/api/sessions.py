"""`POST /login` and `POST /logout`: a token becomes a cookie, and that goes."""

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from hub.api.forms import form_of
from hub.api.guarding import COOKIE, Guard

_OVERVIEW = "/"


def router(guard: Guard, *, public_url: str) -> APIRouter:
    """The routes over one guard; the form itself is a page of the dashboard."""
    routes = APIRouter(tags=["sessions"])

    @routes.post("/login", status_code=HTTPStatus.SEE_OTHER)
    async def login(request: Request) -> Response:
        """Take a form's `token`, and go to `next`; one that shows no page leads back."""
        form = await form_of(request)
        token, goal = form.get("token", "").strip(), _here(form.get("next", ""))
        access = guard.known(token)
        if access is None:
            guard.say(request)
        if access is None or access.repositories:
            failed = "token-bounded" if access else "token-unknown"
            again = urlencode({"failed": failed, "next": goal})
            return RedirectResponse(f"/login?{again}", HTTPStatus.SEE_OTHER)
        answer = RedirectResponse(goal, HTTPStatus.SEE_OTHER)
        is_secret = request.url.scheme == "https" or public_url.startswith("https:")
        answer.set_cookie(COOKIE, token, secure=is_secret, httponly=True, samesite="strict")
        return answer

    @routes.post("/logout", status_code=HTTPStatus.SEE_OTHER)
    async def logout() -> Response:
        """Forget the cookie."""
        answer = RedirectResponse(_OVERVIEW, HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return routes


def _here(goal: str) -> str:
    """A page of this hub: browsers take two slashes, of either kind, for another host."""
    is_ours = goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
    return goal if is_ours else _OVERVIEW
