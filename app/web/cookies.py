"""Cookies and addresses: the tokens of session and device, whence a request comes, and whither."""

from fastapi import Request
from starlette.responses import Response

from app.actions.manage_accounts import ABSOLUTE, CODE, DEVICE, CodeNeeded, SignedIn, Visitor
from app.web.services import services_of

SESSION = "reread"
DEVICE_NAME = "reread-device"
STEP = "reread-step"
LANGUAGE = "reread-language"
LANGUAGE_KEPT = 365 * 86400  # seconds


def cookie_name(request: Request, name: str = SESSION) -> str:
    """Return a cookie's name; over https it is bound to the host by its prefix."""
    return f"__Host-{name}" if services_of(request).settings.secure_cookies else name


def session_token(request: Request) -> str:
    """Return the session token the browser sent, or ''."""
    return request.cookies.get(cookie_name(request), "")


def site_address(request: Request) -> str:
    """Return the address people type, without a slash at its end."""
    return services_of(request).settings.public_url or str(request.base_url).rstrip("/")


def client_address(request: Request) -> str:
    """Return the network address the request came from, as the server sees it."""
    return request.client.host if request.client else "unknown"


def visitor_of(request: Request) -> Visitor:
    """Return whence a request comes; the device's token is '' on a device not seen before."""
    return Visitor(
        address=client_address(request),
        browser=request.headers.get("user-agent", ""),
        device=request.cookies.get(cookie_name(request, DEVICE_NAME), ""),
    )


def keep_session(request: Request, response: Response, done: SignedIn) -> None:
    """Give the browser the tokens of a sign-in."""
    set_cookie(request, response, SESSION, done.token, seconds=ABSOLUTE.total_seconds())
    keep_device(request, response, done.device)
    if done.language is not None:
        keep_language(request, response, done.language)


def keep_step(request: Request, response: Response, half: CodeNeeded) -> None:
    """Give the browser the token of a sign-in that waits for its code."""
    set_cookie(request, response, STEP, half.token, seconds=CODE.total_seconds())


def keep_device(request: Request, response: Response, token: str) -> None:
    """Give the browser the token by which its device is known; signing out leaves it."""
    set_cookie(request, response, DEVICE_NAME, token, seconds=DEVICE.total_seconds())


def keep_language(request: Request, response: Response, name: str) -> None:
    """Give the browser the language that was chosen; signing out leaves it."""
    set_cookie(request, response, LANGUAGE, name, seconds=LANGUAGE_KEPT)


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, seconds: float
) -> None:
    """Set a cookie that no script and no form of another site gets at."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=int(seconds),
        secure=services_of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, name: str = SESSION) -> None:
    """Take a cookie away."""
    response.delete_cookie(
        cookie_name(request, name),
        secure=services_of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
