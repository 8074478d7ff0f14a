"""The calls of the Orders API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import metrics
from gateway.links import BASE_PATH, Links
from gateway.problems import Refused, failed_job, of_framework
from gateway.reads import DatabaseUnavailable, Reads
from gateway.requests import authorised, json_body
from gateway.submit import Submission, registration, traceparent
from order_contracts.base import Message
from order_contracts.commands import Command
from order_contracts.decoding import Invalid
from order_contracts.job import Job, JobStatus
from order_contracts.openapi import document
from order_contracts.problem import Receipt
from order_runtime.api_keys import KeyFile
from order_runtime.job_ids import RANDOM_BITS, Secrets, issue
from order_runtime.jobs import RETENTION, accepted, job_of
from order_runtime.logs import log, told
from order_runtime.publisher import NotAccepted, OutcomeUnknown, Publisher

Handler = Callable[[Request], Awaitable[Response]]

RETRY: Final = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """The calls and what they stand on."""

    publisher: Publisher
    reads: Reads
    keys: KeyFile
    links: Links
    secrets: Secrets

    async def register(self, request: Request) -> Response:
        authorised(request, self.keys, "orders:write")
        body = await json_body(request)
        order = registration(body, datetime.now(UTC))
        owner = await self.reads.owner(order.order_id)
        if owner is not None:
            detail = f"An order with this orderId exists; job {owner} registered it."
            raise Refused("OrderExists", detail, job_id=owner, href=self.links.job(owner))
        return await self._accept(order, request)

    async def order(self, request: Request) -> Response:
        authorised(request, self.keys, "orders:read")
        order_id, contact_id = (
            request.path_params["order_id"],
            request.query_params.get("contactId"),
        )
        order = await self.reads.order(order_id)
        if order is None or (contact_id is not None and contact_id != order.contact_id):
            raise Refused("OrderNotFound", "There is no such order, or none of this contact.")
        return _json(order, headers={"ETag": f'"{order.version_tag}"'})

    async def job(self, request: Request) -> Response:
        authorised(request, self.keys, "orders:read")
        job = await self._job(request.path_params["job_id"])
        if job.status is JobStatus.FAILED and job.errors:
            raise failed_job(job, job.errors[0])
        if job.order is not None and request.query_params.get("redirect") == "true":
            return Response(status_code=302, headers={"Location": job.order.href})
        return _json(job, headers=RETRY if job.status is JobStatus.ACCEPTED else {})

    async def openapi(self, _: Request) -> Response:
        return Response(document(self.links.public_url), media_type="application/json")

    async def _accept(self, command: Command, request: Request) -> Response:
        """Publish a command and answer 202 once the broker has it."""
        milliseconds = time.time_ns() // 1_000_000
        submission = Submission(
            job_id=issue(milliseconds, secrets.randbits(RANDOM_BITS), self.secrets.newest_first[0]),
            command=command,
            at=datetime.fromtimestamp(milliseconds / 1000, UTC),
            traceparent=traceparent(request.headers.get("traceparent")),
        )
        await self._publish(submission)
        href = self.links.job(submission.job_id)
        receipt = Receipt(job_id=submission.job_id, order_id=command.order_id, href=href)
        metrics.ACCEPTED.labels(type(command).__name__).inc()
        return _json(receipt, status=202, headers={"Location": href} | RETRY)

    async def _publish(self, submission: Submission) -> None:
        job_id = submission.job_id
        try:
            with metrics.ACK_SECONDS.time():
                await self.publisher.publish(submission.record())
        except NotAccepted:
            detail = "Kafka takes no more; nothing was accepted."
            raise Refused("NotAccepted", detail, headers=RETRY) from None
        except OutcomeUnknown:
            detail = "Kafka gave no answer in time; the command may still be applied."
            href = self.links.job(job_id)
            raise Refused(
                "OutcomeUnknown", detail, headers=RETRY, job_id=job_id, href=href
            ) from None

    async def _job(self, job_id: str) -> Job:
        issued_at = self.secrets.issued_at(job_id)
        href = self.links.job(job_id)
        if issued_at is not None and issued_at + RETENTION < datetime.now(UTC):
            raise Refused("JobExpired", "Jobs are kept for 30 days.")
        found = await self.reads.job(job_id)
        if found is not None:
            order_id = found.get("orderId")
            there = order_id if order_id and await self.reads.exists(order_id) else None
            order_href = self.links.order(there) if there else None
            created_at = issued_at or found["at"]
            return job_of(found, created_at=created_at, href=href, order_href=order_href)
        if issued_at is None:
            raise Refused("JobNotFound", "This system issued no such job.")
        return accepted(job_id, created_at=issued_at, href=href)


def create_app(gateway: Gateway) -> FastAPI:
    """Return the application; plain routes, since the bodies are read by the contract itself."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    orders = f"{BASE_PATH}/orders"
    calls = [
        ("POST", orders, gateway.register),
        ("GET", f"{orders}/jobs/{{job_id}}", gateway.job),
        ("GET", f"{orders}/{{order_id}}", gateway.order),
        ("GET", f"{BASE_PATH}/openapi.json", gateway.openapi),
    ]
    app.router.routes.extend(Route(path, call, methods=[method]) for method, path, call in calls)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Invalid, _invalid)
    app.add_exception_handler(DatabaseUnavailable, _unavailable)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _internal)
    return app


def _json(message: Message, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(message.to_json(), status, headers, media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  for the type checker: registered for it alone
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    errors = error.errors if isinstance(error, Invalid) else ()
    detail = f"The body has {len(errors)} errors." if len(errors) != 1 else "The body has an error."
    return Refused("ValidationFailed", detail, errors=errors).response()


async def _unavailable(_: Request, __: Exception) -> Response:
    return Refused(
        "DatabaseUnavailable", "The database gave no answer; try again.", headers=RETRY
    ).response()


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as above
    return of_framework(error.status_code, error.headers).response()


async def _internal(request: Request, error: Exception) -> Response:
    log().error("request failed", method=request.method, **told(error))
    return Refused("InternalError", "Something went wrong here; it was logged.").response()
