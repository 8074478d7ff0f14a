"""The calls of the Orders API: each has its handler, its route is that of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from gateway.adapters.read_store import ReadStore
from gateway.api_docs.page import PAGE, SECURITY_HEADERS
from gateway.app.bulk_registration import BulkRegistration
from gateway.app.command_acceptance import CommandAcceptance
from gateway.app.command_answer import CommandAnswer
from gateway.app.integration_log_queries import IntegrationLogQueries
from gateway.app.job_queries import JobQueries
from gateway.app.job_reader import JobReader
from gateway.app.job_waiter import JobWaiter
from gateway.app.order_commands import OrderCommands
from gateway.app.order_queries import OrderQueries
from gateway.domain.urls import Urls
from gateway.http.access_log import AccessLog
from gateway.http.admission import Admission
from gateway.http.memory_budget import Memory
from gateway.http.path_check import PathCheck
from gateway.http.problems import framework_problem, problem_response
from gateway.http.rate_limits import RateLimits
from gateway.http.request_context import RequestContext
from gateway.http.router import Handler, Router
from order_contracts.routes import BASE_PATH, ROUTES
from order_contracts.specs.openapi import document
from order_runtime.auth.api_keys import KeyFile
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import Publisher
from order_runtime.observability.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the handlers need, made once in `__main__`."""

    publisher: Publisher
    reads: ReadStore
    keys: KeyFile
    urls: Urls
    secrets: JobIdSecrets
    signatures: CommandSignatures
    memory: Memory
    leaving: Callable[[], bool]
    """Whether the process was told to stop."""
    tracing: Tracing | None = None


def create_app(parts: Dependencies, access_log: AccessLog) -> ASGIApp:
    """
    Return the application: the contract's calls, and FastAPI for the pages that describe them.

    The calls stand before FastAPI's layers, since the contract's own decoder reads their bodies.
    """
    router = Router(calls(parts), pages(parts.urls.public_url))
    return RequestContext(PathCheck(router), access_log.add)


def calls(parts: Dependencies) -> Mapping[str, Mapping[str, Handler]]:
    """Return the handlers by path and method, in the order in which paths are matched."""
    paths: dict[str, dict[str, Handler]] = {}
    for operation, handler in handlers(parts).items():
        route = ROUTES[operation]
        paths.setdefault(route.path, {})[route.method] = handler
    return dict(sorted(paths.items(), key=lambda item: _parameters(item[0])))


def handlers(parts: Dependencies) -> Mapping[str, Handler]:
    """Return the handler of each call of the contract, by its operationId."""
    admission = Admission(parts.keys, RateLimits(), parts.memory)
    reads, urls = parts.reads, parts.urls
    job_reader = JobReader(reads, urls, parts.secrets)
    acceptance = CommandAcceptance(
        parts.publisher, reads, urls, parts.secrets, parts.signatures, parts.tracing
    )
    stored = JobWaiter(reads.jobs, parts.leaving)
    enriched = JobWaiter(reads.enrichments, parts.leaving)
    answer = CommandAnswer(urls, stored, enriched, job_reader)
    commands = OrderCommands(admission, acceptance, answer)
    orders = OrderQueries(admission, reads, urls, job_reader)
    jobs = JobQueries(admission, reads, urls, job_reader)
    return {
        "listOrders": orders.list,
        "registerOrder": commands.register,
        "getOrder": orders.get,
        "replaceOrder": commands.replace,
        "deleteOrder": commands.delete,
        "triggerAction": commands.act,
        "changeStatus": commands.change_status,
        "changeDelivery": commands.change_delivery,
        "getHistory": orders.history,
        "registerOrders": BulkRegistration(admission, acceptance).register,
        "checkOrders": orders.check,
        "listJobs": jobs.list,
        "getJob": jobs.get,
        "listIntegrationLog": IntegrationLogQueries(admission, reads, urls).list,
    }


def pages(public_url: str) -> FastAPI:
    """Return the description of the calls, as a document and as a page, and what is nowhere."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    content = document(public_url)

    @app.api_route(f"{BASE_PATH}/openapi.json", methods=["GET", "HEAD"])
    async def openapi(request: Request) -> Response:
        request.state.route = request.url.path
        return Response(content, media_type="application/json")

    @app.api_route(f"{BASE_PATH}/docs", methods=["GET", "HEAD"])
    async def docs(request: Request) -> Response:
        request.state.route = request.url.path
        return HTMLResponse(PAGE, headers=SECURITY_HEADERS)

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> Response:
        return problem_response(framework_problem(error.status_code, error.headers))

    return app


def _parameters(path: str) -> list[bool]:
    """Return a sort key by which /orders/bulk comes before /orders/{order_id}."""
    return [part.startswith("{") for part in path.split("/")]
