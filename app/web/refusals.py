"""Refusals into answers: the status, the sentence, and where signing in is needed the way there."""

import logging
from dataclasses import replace
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.status import HTTP_404_NOT_FOUND, HTTP_405_METHOD_NOT_ALLOWED

from app.db import accounts
from app.db.session import Role
from app.domain.errors import (
    BrokenOff,
    InvalidInput,
    NotAllowed,
    PasswordNeeded,
    Refusal,
    SecondFactorNeeded,
    SignInNeeded,
    TooManyAttempts,
    Unavailable,
)
from app.domain.sentences import said
from app.languages.current import here
from app.logs import request_id
from app.web.access import page_above, routes_of
from app.web.pages import RefusalPage
from app.web.rendering import render
from app.web.services import services_of

log = logging.getLogger("reread")

_SENTENCES = {
    404: said("There is no such page."),
    405: said("This address cannot be used that way."),
    408: said("The form stopped arriving. Nothing was saved; send it again."),
    413: said("More was sent than is accepted."),
}


def add_refusals(app: FastAPI) -> None:
    """Teach the application to answer every refusal with a page that helps."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unusable)
    app.add_exception_handler(Exception, _bug)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, SignInNeeded) and request.method == "GET" and not _is_api(request):
        return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", status_code=303)
    if isinstance(error, NotAllowed):
        _write_down(request)
    if isinstance(error, PasswordNeeded) and request.method == "GET":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/confirm?next={quote(wanted)}", status_code=303)
    if isinstance(error, SecondFactorNeeded) and request.method == "GET":
        return RedirectResponse("/account/second-factor", status_code=303)
    if not isinstance(error, Refusal):
        raise error
    problems = error.problems if isinstance(error, InvalidInput) else ()
    page = RefusalPage(status=error.status, sentence=error.sentence, problems=problems)
    response = _say(request, page)
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    request.state.broken_off = isinstance(error, BrokenOff)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = "5"
    return response


def _write_down(request: Request) -> None:
    """Let the log hold that this person's request was refused, whatever became of its own work."""
    account = getattr(request.state, "account", None)
    route = getattr(request.scope.get("route"), "path", None)
    if account is None or route is None:
        return
    try:
        with services_of(request).database.begin(Role.ACCOUNT, actor=account.id) as connection:
            accounts.record_refusal(connection, method=request.method, route=route)
    except Unavailable:
        log.warning("a refusal could not be written down")


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/v1/")


def _say(request: Request, page: RefusalPage) -> Response:
    """Answer with a page that helps; programs get its sentence and problems."""
    if not _is_api(request):
        account = getattr(request.state, "account", None)
        if account is not None:
            # What is absent is answered alike, whether or not it is there for somebody else.
            back = None if page.status == HTTP_404_NOT_FOUND else page_above(request, account)
            page = replace(page, viewer=account, back=back)
        here.set("/")  # the page is the same to the byte, whatever was asked for
        return render(page, status=page.status)
    said = {"sentence": page.sentence, "problems": [str(problem) for problem in page.problems]}
    needed = {"WWW-Authenticate": "Bearer"} if page.status == SignInNeeded.status else None
    return JSONResponse(said, status_code=page.status, headers=needed)


def _unusable(request: Request, error: Exception) -> Response:
    """Answer 404 to an address that can be nobody's; say what a form lacks."""
    places = [e["loc"] for e in error.errors()] if isinstance(error, RequestValidationError) else []
    if any(place[0] == "path" for place in places):
        return _say(request, RefusalPage(status=404, sentence=_SENTENCES[404]))
    named = ", ".join(sorted({str(place[-1]) for place in places}))
    sentence = said("The form is incomplete; look at: {names}. Nothing was saved.", names=named)
    return _say(request, RefusalPage(status=422, sentence=sentence))


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = _SENTENCES.get(status, said("This request cannot be answered."))
    response = _say(request, RefusalPage(status=status, sentence=sentence))
    if status == HTTP_405_METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_methods_at(request))
    return response


def _methods_at(request: Request) -> list[str]:
    """Return what an address may be used with.

    Starlette names those of the first route there, but a page and its form are two routes. HEAD is
    of static files alone: some GETs are written in the log (results seen, an export made), and
    whoever sends a HEAD has seen and received nothing.
    """
    path = request.url.path
    if path.startswith("/static/"):
        return ["GET", "HEAD"]
    routes = routes_of(request.app)
    at = [route.methods or () for route in routes if route.path_regex.fullmatch(path)]
    return sorted({method for methods in at for method in methods})


def _bug(request: Request, error: Exception) -> Response:
    # The traceback goes to the log; neither it nor any study text goes into the page.
    route = getattr(request.scope.get("route"), "path", "none")
    log.error("%s %s failed", request.method, route, exc_info=error)
    sentence = said("Something went wrong on the server. Nothing was saved by this request.")
    if number := request_id.get():
        sentence = said(
            "Something went wrong on the server. Nothing was saved by this request. Its number in "
            "the server's log is {number}.",
            number=number,
        )
    return _say(request, RefusalPage(status=500, sentence=sentence))
