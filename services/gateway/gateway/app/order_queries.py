"""The calls that answer orders: one, a contact's, what changed, what differs, its history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.contact_orders import ORDER_FIELD, OrderFilter, contact_orders_pipeline
from gateway.adapters.job_warnings import warnings_by_job
from gateway.adapters.read_store import ReadStore
from gateway.app.job_reader import JobReader
from gateway.domain.answer_models import (
    DELIVERY_STATE_FIELDS,
    check_result,
    delivery_state_of,
    log_entry_of,
    order_view,
)
from gateway.domain.order_contact import linked_contact
from gateway.domain.pagination import Page, PageRequest, page_request
from gateway.domain.problem_error import ProblemError
from gateway.domain.query_params import choice_in, invalid_parameter, time_in
from gateway.domain.urls import Urls
from gateway.http.admission import Admission
from gateway.http.memory_budget import Reservation
from gateway.http.request_body import read_json_body
from gateway.http.responses import json_response
from order_contracts.answers import Expected, ExpectedOrders, History, OrderList
from order_contracts.decoding import parse, read
from order_contracts.order import Order, OrderStatus
from order_runtime.documents.document import Document, optional
from order_runtime.mongo.client import ACTION_DELIVERIES, INTEGRATION_LOG, JOBS, LINKS, ORDERS
from order_runtime.mongo.collections import BY_CHANGE, ORDERS_OF_CONTACT
from order_runtime.process.unreadable import all_readable

MAX_CHECK_BODY: Final = 4 * 1024 * 1024
MAX_ORDER_BYTES: Final = 768 * 1024  # of an order at rest
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024  # of one answer of MongoDB
MAX_HISTORY: Final = 1_000
CONTACT_PARAMETERS: Final = (
    "contactId",
    "status",
    "createdFrom",
    "createdTo",
    "count",
    "continuation",
)
CHANGED_PARAMETERS: Final = ("changedSince", "count", "continuation")


@dataclass(frozen=True, slots=True)
class OrderQueries:
    admission: Admission
    reads: ReadStore
    urls: Urls
    jobs: JobReader

    async def get(self, request: Request) -> Response:
        self.admission.admit(request, "orders:read", ["contactId"])
        reserved = await self._reserve(request, 1)
        order = await self.reads.order(request.path_params["order_id"])
        contact_id = request.query_params.get("contactId")
        if order is None or not await self._is_of(order, contact_id):
            raise ProblemError("OrderNotFound", "There is no such order, or none of this contact.")
        return _orders_response(order, reserved, ETag=f'"{order.version_tag}"')

    async def _is_of(self, order: Order, contact_id: str | None) -> bool:
        """Return whether an order is the contact's, or that of the one it was merged into."""
        if contact_id is None or contact_id == order.contact_id:
            return True
        return order.contact_id == await self.reads.survivor(contact_id)

    async def list(self, request: Request) -> Response:
        """Answer the orders of a contact, or, for operators, those that changed."""
        if "changedSince" in request.query_params:
            return await self._changed(request)
        return await self._of_contact(request)

    async def check(self, request: Request) -> Response:
        """Answer which of the expected orders are missing here or have another version."""
        self.admission.admit(request, "orders:read")
        body = await read_json_body(request, MAX_CHECK_BODY)
        async with self.admission.memory.bulk_turn:
            expected = _expected(body)
        tags = await self.reads.version_tags([order.order_id for order in expected])
        return json_response(check_result(expected, tags))

    async def history(self, request: Request) -> Response:
        """Answer all that is stored about an order, also of one that was deleted."""
        self.admission.admit(request, "orders:read")
        return json_response(await self.history_of(request.path_params["order_id"]))

    async def history_of(self, order_id: str) -> History:
        """Return the newest MAX_HISTORY of each; raises ProblemError where there is no job."""
        where, newest_first = [{"orderId": order_id}], {"at": -1, "_id": -1}
        newest_created_first = {"createdAt": -1, "_id": -1}
        jobs, log_entries, deliveries = await asyncio.gather(
            self.reads.find(JOBS, where, newest_first, MAX_HISTORY),
            self.reads.find(INTEGRATION_LOG, where, newest_first, MAX_HISTORY),
            self.reads.find(
                ACTION_DELIVERIES, where, newest_created_first, MAX_HISTORY, DELIVERY_STATE_FIELDS
            ),
        )
        if not jobs:
            raise ProblemError("OrderNotFound", "No command ever named this order.")
        order_exists = await self.reads.exists(order_id)
        return History(
            order_id=order_id,
            jobs=await self.jobs.of_documents(
                jobs, order_exists=order_exists, logged=warnings_by_job(log_entries)
            ),
            warnings=tuple(all_readable(INTEGRATION_LOG, log_entries, log_entry_of)),
            deliveries=tuple(all_readable(ACTION_DELIVERIES, deliveries, delivery_state_of)),
        )

    async def _of_contact(self, request: Request) -> Response:
        """Answer the orders of a contact, the newest registration first."""
        self.admission.admit(request, "orders:read", CONTACT_PARAMETERS)
        query = request.query_params
        if not query.get("contactId"):
            raise invalid_parameter("contactId", "Is required")
        asked = page_request(query, "registeredAt")
        where = OrderFilter(
            contact_id=await self.reads.survivor(query["contactId"]),
            status=choice_in(query, "status", OrderStatus),
            created_from=time_in(query, "createdFrom"),
            created_to=time_in(query, "createdTo"),
        )
        reserved = await self._reserve(request, asked.limit)
        page = await self._page_of_contact(where, asked)
        orders = all_readable(ORDERS, page.rows, _order_of_link)
        return _orders_response(OrderList(items=tuple(orders), links=page.links), reserved)

    async def _page_of_contact(self, where: OrderFilter, asked: PageRequest) -> Page:
        """Return a page; of a narrowed list it may have fewer orders than it could, even none."""
        index = ORDERS_OF_CONTACT.name
        end = None
        if where.is_narrowed:
            end = await self.reads.scan_end(LINKS, [where.links], asked, index)
        pipeline = contact_orders_pipeline(where, asked, end)
        found = await self.reads.aggregate_page(LINKS, pipeline, index)
        return asked.page(found, self.urls.orders, end)

    async def _changed(self, request: Request) -> Response:
        """Answer the orders of all contacts, the oldest change first, for a reconciliation."""
        self.admission.admit(request, "ops", CHANGED_PARAMETERS)
        query = request.query_params
        asked = page_request(query, "updatedAt", ascending=True)
        since = time_in(query, "changedSince")
        where = [{"deletedAt": {"$exists": False}, "updatedAt": {"$gte": since}}]
        reserved = await self._reserve(request, asked.limit)
        rows = await self.reads.find_page(ORDERS, where, asked, BY_CHANGE.name)
        page = asked.page(rows, self.urls.orders)
        links = await self.reads.links([order["_id"] for order in page.rows])
        orders = all_readable(
            ORDERS,
            page.rows,
            lambda order: order_view(order, linked_contact(order, links.get(order["_id"]))),
        )
        return _orders_response(OrderList(items=tuple(orders), links=page.links), reserved)

    async def _reserve(self, request: Request, orders: int) -> Reservation:
        """Reserve what MongoDB may send of *orders* at once; raises ProblemError."""
        size = min(orders * MAX_ORDER_BYTES, MAX_BATCH_BYTES)
        return await self.admission.memory.pages.reserve(request.scope["state"], size)


def _orders_response(orders: OrderList | Order, reserved: Reservation, **headers: str) -> Response:
    """Return the response, with no more memory reserved than it takes until it was sent."""
    response = json_response(orders, headers=headers)
    reserved.shrink(len(response.body))
    return response


def _order_of_link(link: Document) -> Order:
    """Return the order of a link that has it as a field."""
    return order_view(link[ORDER_FIELD], optional(link, "contactId", str))


def _expected(body: bytes) -> Sequence[Expected]:
    value = parse(body)
    wrapped = {"orders": value} if isinstance(value, list) else value
    return read(ExpectedOrders, wrapped, strict=True).orders
