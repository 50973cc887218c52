"""Uploads: whoever may not send one is refused before it arrives.

The framework reads a form whole before it asks for permissions. Of a small form nobody minds; a
stranger's gigabytes would lie on the disk before they are refused.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

LARGEST_UPLOAD = 4 * 1024**3  # bytes: some 10,000 photographs


def permission_before_uploads(permission: Callable[[Request], Awaitable[object]]) -> type[APIRoute]:
    """Return a kind of route that asks for this permission before it reads an upload.

    Routes of the same router that take no more than a form does are as they were; the permission
    that a route declares is asked for all the same.
    """

    class PermissionFirst(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()
            if self.max_body_size != LARGEST_UPLOAD:
                return answer

            async def refuse_or_answer(request: Request) -> Response:
                await permission(request)
                return await answer(request)

            return refuse_or_answer

    return PermissionFirst
