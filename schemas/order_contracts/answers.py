"""What the gateway answers beside orders, jobs and problems: lists, and results row by row."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from order_contracts.base import Message
from order_contracts.errors import FieldError
from order_contracts.integration_log import LogEntry
from order_contracts.job import Job
from order_contracts.order import ActionName, Order
from order_contracts.values import Name, OrderId, Time, at_most

MAX_ROWS = 1_000
MAX_CHECKED = 5_000


class PageLink(Message):
    rel: Literal["next", "previous"]
    href: str


class OrderList(Message):
    items: tuple[Order, ...]
    links: tuple[PageLink, ...]


class JobList(Message):
    items: tuple[Job, ...]
    links: tuple[PageLink, ...]


class IntegrationLog(Message):
    items: tuple[LogEntry, ...]
    links: tuple[PageLink, ...]


class BulkRow(Message):
    """What became of one row; `status` is what a single request would have been answered."""

    index: int
    order_id: str | None = None
    status: int
    job_id: str | None = None
    href: str | None = None
    errors: tuple[FieldError, ...] | None = None


class BulkResult(Message):
    rows: tuple[BulkRow, ...]


class Expected(Message):
    """An order that another system believes to be here, at this version if it knows it."""

    order_id: OrderId
    version_tag: Name | None = None


class ExpectedOrders(Message):
    orders: Annotated[tuple[Expected, ...], Field(max_length=MAX_CHECKED), at_most(MAX_CHECKED)]


class Differing(Message):
    order_id: str
    version_tag: str
    """The tag that the order has here."""


class CheckResult(Message):
    checked: int
    missing: tuple[str, ...]
    differing: tuple[Differing, ...]


class Attempt(Message):
    at: Time
    status: int | None = None
    duration_ms: int | None = None


class DeliveryState(Message):
    """What became of one action on its way to the automation trigger."""

    action_id: str
    job_id: str
    action: ActionName
    state: str
    attempts: tuple[Attempt, ...] = ()


class History(Message):
    """All that is known of one order: commands as jobs, warnings, actions and deliveries."""

    order_id: str
    jobs: tuple[Job, ...]
    warnings: tuple[LogEntry, ...]
    deliveries: tuple[DeliveryState, ...]
