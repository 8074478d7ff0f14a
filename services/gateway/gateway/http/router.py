"""Which handler answers a request, and how its refusals are answered."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.domain.problem_error import ProblemError
from gateway.http.problems import (
    database_unavailable_problem,
    invalid_problem,
    method_not_allowed,
    problem_response,
)
from order_contracts.decoding import Invalid

Handler = Callable[[Request], Awaitable[Response]]

_PARAMETER: Final = re.compile(r"\{(\w+)\}", re.ASCII)


class Route(NamedTuple):
    """A path with all of its methods, so that a refused one matches no other path."""

    path: str
    handlers: Mapping[str, Handler]

    @property
    def pattern(self) -> re.Pattern[str]:
        """What matches the paths of requests; a parameter has a part between two slashes."""
        return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", self.path))

    def handler(self, method: str) -> Handler:
        """Return the handler of *method*; raises ProblemError where the path has no such one."""
        found = self.handlers.get("GET" if method == "HEAD" else method)
        if found is None:
            raise method_not_allowed(
                {*self.handlers, "HEAD"} if "GET" in self.handlers else self.handlers
            )
        return found


class Router:
    """
    Calls the handler of each request and sends its response; *others* answers all other paths.

    Leaves the route in the request's state, for the access log. Literal paths are looked up; those
    with parameters are matched in the order of *calls*.
    """

    def __init__(self, calls: Mapping[str, Mapping[str, Handler]], others: ASGIApp) -> None:
        self._others = others
        routes = [Route(path, handlers) for path, handlers in calls.items()]
        self._literal = {it.path: it for it in routes if not _PARAMETER.search(it.path)}
        self._patterns = [(it.pattern, it) for it in routes if it.path not in self._literal]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._literal.get(scope["path"]) or self._matching(scope)
        if route is None:
            await self._others(scope, receive, send)
            return
        scope["state"]["route"] = route.path
        response = await _response(route, Request(scope, receive))
        await response(scope, receive, send)

    def _matching(self, scope: Scope) -> Route | None:
        """Return the route with parameters that has the path, and leave them in *scope*."""
        for pattern, route in self._patterns:
            if found := pattern.fullmatch(scope["path"]):
                scope["path_params"] = found.groupdict()
                return route
        return None


async def _response(route: Route, request: Request) -> Response:
    try:
        return await route.handler(request.method)(request)
    except ProblemError as error:
        return problem_response(error)
    except Invalid as error:
        return problem_response(invalid_problem(error))
    except DatabaseUnavailable:
        return problem_response(database_unavailable_problem())
