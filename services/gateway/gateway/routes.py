"""The calls of the Orders API and what they stand on, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.adapters.read_store import DatabaseUnavailable, ReadStore
from gateway.api_docs.page import PAGE, POLICY
from gateway.app.bulk import BulkRegistration
from gateway.app.command_acceptance import CommandAcceptance
from gateway.app.integration_log import IntegrationLogQueries
from gateway.app.job_waiter import JobWaiter
from gateway.app.jobs import JobQueries
from gateway.app.order_commands import OrderCommands
from gateway.app.order_queries import OrderQueries
from gateway.domain.urls import BASE_PATH, Urls
from gateway.http.admission import Admission
from gateway.http.path_check import PathCheck
from gateway.http.problems import ProblemError, framework_problem
from gateway.http.rate_limits import RateLimits
from gateway.http.request_context import RequestContext, internal_error
from gateway.http.responses import RETRY_SOON
from order_contracts.decoding import Invalid
from order_contracts.specs.openapi import document
from order_runtime.auth.api_keys import KeyFile
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import Publisher

Call = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the calls stand on."""

    publisher: Publisher
    reads: ReadStore
    keys: KeyFile
    urls: Urls
    secrets: JobIdSecrets
    leaving: Callable[[], bool]
    """Whether the process was told to stop."""


def create_app(parts: Dependencies) -> ASGIApp:
    """Return the application; plain routes, since the bodies are read by the contract itself."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, methods in calls(parts).items():
        app.router.routes.append(_route(path, methods))
    app.add_exception_handler(ProblemError, _refused)
    app.add_exception_handler(Invalid, _invalid)
    app.add_exception_handler(DatabaseUnavailable, _unavailable)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _failed)
    return RequestContext(PathCheck(app))


def calls(parts: Dependencies) -> Mapping[str, Mapping[str, Call]]:
    """Return every call by path and method."""
    admission = Admission(parts.keys, RateLimits())
    jobs = JobQueries(admission, parts.reads, parts.urls, parts.secrets)
    acceptance = CommandAcceptance(
        publisher=parts.publisher,
        reads=parts.reads,
        urls=parts.urls,
        secrets=parts.secrets,
        waiting=JobWaiter(parts.reads.jobs_by_id, parts.leaving),
        jobs=jobs,
    )
    writes, bulk = OrderCommands(admission, acceptance), BulkRegistration(admission, acceptance)
    orders = OrderQueries(admission, parts.reads, parts.urls, jobs)
    logbook = IntegrationLogQueries(admission, parts.reads, parts.urls)
    openapi = document(parts.urls.public_url)

    async def described(_: Request) -> Response:
        return Response(openapi, media_type="application/json")

    async def reference(_: Request) -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    one = f"{BASE_PATH}/orders/{{order_id}}"
    return {
        f"{BASE_PATH}/orders": {"GET": orders.list, "POST": writes.register},
        f"{BASE_PATH}/orders/bulk": {"POST": bulk.register},
        f"{BASE_PATH}/orders/check": {"POST": orders.check},
        f"{BASE_PATH}/orders/jobs": {"GET": jobs.list},
        f"{BASE_PATH}/orders/jobs/{{job_id}}": {"GET": jobs.get},
        one: {"GET": orders.get, "PUT": writes.replace, "DELETE": writes.delete},
        f"{one}/action": {"POST": writes.act},
        f"{one}/change-status": {"POST": writes.change_status},
        f"{one}/change-delivery": {"POST": writes.change_delivery},
        f"{one}/history": {"GET": orders.history},
        f"{BASE_PATH}/integration-log": {"GET": logbook.list},
        f"{BASE_PATH}/openapi.json": {"GET": described},
        f"{BASE_PATH}/docs": {"GET": reference},
    }


def _route(path: str, methods: Mapping[str, Call]) -> Route:
    """Return the route of a path with all its methods, so that no other takes what it refuses."""
    allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    async def call(request: Request) -> Response:
        request.state.route = path
        found = methods.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            detail = "This path has no such method."
            raise ProblemError("MethodNotAllowed", detail, headers={"Allow": ", ".join(allowed)})
        return await found(request)

    return Route(path, call, methods=())


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  for the type checker: registered for it alone
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    errors = error.errors if isinstance(error, Invalid) else ()
    detail = f"The request has {len(errors)} errors." if len(errors) > 1 else "It has an error."
    return ProblemError("ValidationFailed", detail, errors=errors).response()


async def _unavailable(_: Request, __: Exception) -> Response:
    detail = "The database gave no answer; try again."
    return ProblemError("DatabaseUnavailable", detail, headers=RETRY_SOON).response()


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as above
    return framework_problem(error.status_code, error.headers).response()


async def _failed(_: Request, __: Exception) -> Response:
    return internal_error()
