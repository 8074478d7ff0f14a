"""The calls of the gateway, as data: what each takes, answers and refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic.alias_generators import to_camel

from order_contracts.answers import (
    BulkResult,
    CheckResult,
    ExpectedOrders,
    History,
    IntegrationLog,
    JobList,
    OrderList,
)
from order_contracts.base import Message
from order_contracts.commands import ActionTrigger, DeliveryChange, StatusChange
from order_contracts.integration_log import SEVERITIES
from order_contracts.job import Job, JobStatus
from order_contracts.order import Order, OrderStatus
from order_contracts.problem import Receipt
from order_contracts.routes import ROUTES
from order_contracts.specs import examples
from order_contracts.values import ENTITY_TAGS

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
TRUE: Final[Schema] = {"type": "string", "enum": ["true", "false"]}
_PATH_PARAMETER: Final = re.compile(r"(?<=\{)\w+(?=\})")


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(map(str, values))}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    means: str
    schema: Schema = field(default_factory=lambda: TEXT)
    where: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body; `many` bodies are arrays or lines of the model."""

    model: type[Message]
    example: Any
    many: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered when all is well."""

    means: str
    model: type[Message] | None = None
    example: Any = None
    headers: tuple[str, ...] = ()
    """Those that it always has."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation; its name is the operationId under which `routes` has its method and path."""

    name: str
    summary: str
    scope: str
    answers: Mapping[int, Answer]
    errors: tuple[str, ...]
    body: Body | None = None
    parameters: tuple[Parameter, ...] = ()

    @property
    def method(self) -> str:
        return ROUTES[self.name].method.lower()

    @property
    def path(self) -> str:
        """The path with its parameters in camel case."""
        return _PATH_PARAMETER.sub(lambda name: to_camel(name[0]), ROUTES[self.name].path)


IF_MATCH: Final = Parameter(
    "If-Match",
    "The order's versionTag in quotes, or *: if the order has another, the job fails with 412.",
    {"type": "string", "pattern": ENTITY_TAGS},
    where="header",
)
IDEMPOTENCY: Final = Parameter(
    "Idempotency-Key",
    "1 to 255 characters: a retry with the same key is applied once, for 30 days.",
    {"type": "string", "minLength": 1, "maxLength": 255},
    where="header",
)
PREFER: Final = Parameter(
    "Prefer",
    "wait=N, at most 30 seconds: answer with the job once it is stored, else 202. "
    "wait=N, until=enriched: once its order's contact was looked for as well.",
    where="header",
)
WRITE: Final = (IDEMPOTENCY, PREFER)
PAGING: Final = (
    Parameter("count", "Rows a page.", {"type": "integer", "minimum": 1, "maximum": 100}),
    Parameter("continuation", "Taken from a link as it is.", {"type": "string", "minLength": 1}),
)
_ACCEPTED: Final = {
    200: Answer(
        "With Prefer: wait, once it is stored, or enriched: the job.",
        Job,
        examples.JOB,
        ("Preference-Applied", "Location"),
    ),
    202: Answer(
        "Accepted: follow the job. With until=enriched, where it is stored by then: the job.",
        Receipt,
        examples.RECEIPT,
        ("Location", "Retry-After"),
    ),
}
_JOB_ERRORS: Final = ("OrderNotFound", "OrderExists", "VersionMismatch", "ContactMissing")
_WRITE_ERRORS: Final = (
    "ValidationFailed",
    "TooLarge",
    "IdempotencyKeyReused",
    "NotAccepted",
    "OutcomeUnknown",
)
_BODY_ERRORS: Final = (*_WRITE_ERRORS, "RequestTimeout", "UnsupportedMediaType")
_READ_ERRORS: Final = ("ValidationFailed", "DatabaseUnavailable")

CALLS: Final = (
    Call(
        "listOrders",
        "Get the orders of a contact, the newest first; or, with changedSince and the scope ops, "
        "all orders that changed, the oldest change first.",
        "orders:read",
        {200: Answer("A page of orders.", OrderList, examples.ORDERS)},
        _READ_ERRORS,
        parameters=(
            Parameter("contactId", "The contact; required without changedSince."),
            Parameter("status", "Only these.", _one_of(*OrderStatus)),
            Parameter("createdFrom", "Created at or after.", TIME),
            Parameter("createdTo", "Created at or before.", TIME),
            Parameter("changedSince", "Changed at or after; not with the other filters.", TIME),
            *PAGING,
        ),
    ),
    Call(
        "registerOrder",
        "Register an order. Accepted once Kafka has it; applied soon after.",
        "orders:write",
        _ACCEPTED,
        ("OrderExists", *_BODY_ERRORS),
        body=Body(Order, examples.NEW_ORDER),
        parameters=WRITE,
    ),
    Call(
        "getOrder",
        "Get an order; with contactId, only if it belongs to that contact.",
        "orders:read",
        {200: Answer("The order.", Order, examples.ORDER, ("ETag",))},
        ("OrderNotFound", *_READ_ERRORS),
        parameters=(Parameter("contactId", "The contact that the order must belong to."),),
    ),
    Call(
        "replaceOrder",
        "Replace an order as a whole, never partially.",
        "orders:write",
        _ACCEPTED,
        (*_JOB_ERRORS, *_BODY_ERRORS),
        body=Body(Order, examples.NEW_ORDER),
        parameters=(IF_MATCH, *WRITE),
    ),
    Call(
        "deleteOrder",
        "Delete an order; its orderId may then be registered again.",
        "orders:write",
        _ACCEPTED,
        (*_JOB_ERRORS, *_WRITE_ERRORS),
        parameters=(IF_MATCH, *WRITE),
    ),
    Call(
        "triggerAction",
        "Trigger an action of the automation trigger for an order that has a contact.",
        "orders:write",
        _ACCEPTED,
        ("OrderNotFound", "ContactMissing", *_BODY_ERRORS),
        body=Body(ActionTrigger, examples.ACTION),
        parameters=WRITE,
    ),
    Call(
        "changeStatus",
        "Change an order's status, its externalStatus, or both; what is absent stays.",
        "orders:write",
        _ACCEPTED,
        (*_JOB_ERRORS, *_BODY_ERRORS),
        body=Body(StatusChange, examples.STATUS),
        parameters=(IF_MATCH, *WRITE),
    ),
    Call(
        "changeDelivery",
        "Change an order's delivery; absent fields stay, null clears.",
        "orders:write",
        _ACCEPTED,
        (*_JOB_ERRORS, *_BODY_ERRORS),
        body=Body(DeliveryChange, examples.DELIVERY),
        parameters=(IF_MATCH, *WRITE),
    ),
    Call(
        "getHistory",
        "Get all that is known of an order: its jobs, warnings and deliveries, the newest first.",
        "orders:read",
        {200: Answer("The history.", History, examples.HISTORY)},
        ("OrderNotFound", *_READ_ERRORS),
    ),
    Call(
        "registerOrders",
        "Register up to 1,000 orders, as a JSON array or as lines of JSON.",
        "orders:write",
        {
            202: Answer("All rows are accepted.", BulkResult, examples.BULK),
            207: Answer(
                "The rows differ: each has its own status.", BulkResult, examples.BULK_MIXED
            ),
            400: Answer("All rows are invalid: a result by row; or the body is no list."),
        },
        ("TooLarge", "UnsupportedMediaType"),
        body=Body(Order, [examples.NEW_ORDER], many=True),
        parameters=(
            Parameter("actions", "suppress: import without firing actions.", _one_of("suppress")),
            IDEMPOTENCY,
        ),
    ),
    Call(
        "checkOrders",
        "Ask which of up to 5,000 orders are missing here, or have another version.",
        "orders:read",
        {200: Answer("What is missing, what differs.", CheckResult, examples.CHECKED)},
        ("RequestTimeout", "TooLarge", "UnsupportedMediaType", *_READ_ERRORS),
        body=Body(ExpectedOrders, examples.EXPECTED),
    ),
    Call(
        "listJobs",
        "List jobs whose command was applied or refused, the newest first.",
        "orders:read",
        {200: Answer("A page of jobs.", JobList, {"items": [examples.JOB], "links": []})},
        _READ_ERRORS,
        parameters=(
            Parameter("orderId", "Only of this order."),
            Parameter("status", "Only these.", _one_of(*JobStatus)),
            Parameter("since", "Accepted at or after.", TIME),
            *PAGING,
        ),
    ),
    Call(
        "getJob",
        "Get the status of an asynchronous request; a failed job answers its own status.",
        "orders:read",
        {
            200: Answer("The job.", Job, examples.JOB),
            302: Answer("With redirect=true: the order of a completed job.", headers=("Location",)),
        },
        (
            "JobNotFound",
            "JobExpired",
            "DatabaseUnavailable",
            "ValidationFailed",
            "TooLarge",
            "IdempotencyKeyReused",
            *_JOB_ERRORS,
        ),
        parameters=(
            Parameter("redirect", "true: answer a completed job with 302 to its order.", TRUE),
        ),
    ),
    Call(
        "listIntegrationLog",
        "List what is wrong with the data, the newest first; kept 90 days.",
        "orders:read",
        {200: Answer("A page of entries.", IntegrationLog, examples.LOG)},
        _READ_ERRORS,
        parameters=(
            Parameter("severity", "Only these.", _one_of(*SEVERITIES)),
            Parameter("code", "Only these."),
            Parameter("orderId", "Only of this order."),
            Parameter("jobId", "Only of this job."),
            Parameter("since", "Written at or after.", TIME),
            *PAGING,
        ),
    ),
)
"""In the order of the contract."""
