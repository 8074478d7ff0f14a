"""The calls that answer orders: one, a contact's, what changed, what differs, its history."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore, linked_contact
from gateway.app.integration_log import log_entry_of
from gateway.app.jobs import JobQueries
from gateway.domain.pagination import Cursor, Page, page_links, page_of, page_rows
from gateway.domain.query_params import choice_in, invalid_parameter, time_in
from gateway.domain.urls import BASE_PATH, Urls
from gateway.http.admission import Admission, read_json
from gateway.http.problems import ProblemError
from gateway.http.responses import json_response
from order_contracts.answers import (
    Attempt,
    CheckResult,
    DeliveryState,
    Differing,
    ExpectedOrders,
    History,
    OrderList,
)
from order_contracts.decoding import read
from order_contracts.order import Order, OrderStatus
from order_runtime.documents.orders import LiveOrder, order_of
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    ORDERS,
    Document,
)

MAX_CHECK_BODY: Final = 4 * 1024 * 1024
MAX_HISTORY: Final = 1_000
PAGED: Final = ("count", "continuation")
BY_CONTACT: Final = ("contactId", "status", "createdFrom", "createdTo", *PAGED)


@dataclass(frozen=True, slots=True)
class OrderQueries:
    """The reading side."""

    admission: Admission
    reads: ReadStore
    urls: Urls
    jobs: JobQueries

    async def get(self, request: Request) -> Response:
        self.admission.admit(request, "orders:read", ["contactId"])
        order = await self.reads.order(request.path_params["order_id"])
        contact_id = request.query_params.get("contactId")
        if order is None or (contact_id is not None and contact_id != order.contact_id):
            raise ProblemError("OrderNotFound", "There is no such order, or none of this contact.")
        return json_response(order, headers={"ETag": f'"{order.version_tag}"'})

    async def list(self, request: Request) -> Response:
        """Answer the orders of a contact, or, for operators, those that changed."""
        if "changedSince" in request.query_params:
            return await self._changed(request)
        self.admission.admit(request, "orders:read", BY_CONTACT)
        query = request.query_params
        if not query.get("contactId"):
            raise invalid_parameter("contactId", "Is required")
        page = page_of(query)
        found = await self.reads.joined(LINKS, _of_contact(query, page))
        rows = page_rows(found, page)
        orders = [_view(row["found"], row["contactId"]) for row in rows.rows]
        ends = [Cursor(row["registeredAt"], row["_id"]) for row in rows.rows]
        return self._page(orders, ends, query, page, rows)

    async def check(self, request: Request) -> Response:
        """Answer which of the given orders are missing here or have another version."""
        self.admission.admit(request, "orders:read")
        value = await read_json(request, MAX_CHECK_BODY)
        wrapped = {"orders": value} if isinstance(value, list) else value
        expected = read(ExpectedOrders, wrapped, strict=True).orders
        tags = await self.reads.tags([one.order_id for one in expected])
        return json_response(
            CheckResult(
                checked=len(expected),
                missing=tuple(one.order_id for one in expected if one.order_id not in tags),
                differing=tuple(
                    Differing(order_id=one.order_id, version_tag=tags[one.order_id])
                    for one in expected
                    if one.version_tag is not None
                    and tags.get(one.order_id, one.version_tag) != one.version_tag
                ),
            )
        )

    async def history(self, request: Request) -> Response:
        """Answer all that is known of an order, also of one that is gone."""
        self.admission.admit(request, "orders:read")
        order_id = request.path_params["order_id"]
        newest, of = {"at": -1, "_id": -1}, [{"orderId": order_id}]
        jobs, log, deliveries = await asyncio.gather(
            self.reads.rows(JOBS, of, newest, MAX_HISTORY),
            self.reads.rows(INTEGRATION_LOG, of, newest, MAX_HISTORY),
            self.reads.rows(ACTION_DELIVERIES, of, {"createdAt": -1, "_id": -1}, MAX_HISTORY),
        )
        if not jobs:
            raise ProblemError("OrderNotFound", "No command ever named this order.")
        there = await self.reads.exists(order_id)
        return json_response(
            History(
                order_id=order_id,
                jobs=await self.jobs.all_shown(jobs, there=there),
                warnings=tuple(map(log_entry_of, log)),
                deliveries=tuple(map(_delivery, deliveries)),
            )
        )

    async def _changed(self, request: Request) -> Response:
        """Answer orders by their last change, the oldest first: what a reconciliation reads."""
        self.admission.admit(request, "ops", ["changedSince", *PAGED])
        query = request.query_params
        page, since = page_of(query, ascending=True), time_in(query, "changedSince")
        where = [
            {"deletedAt": {"$exists": False}, "updatedAt": {"$gte": since}},
            page.where("updatedAt"),
        ]
        found = await self.reads.rows(ORDERS, where, page.sort("updatedAt"), page.count + 1)
        rows = page_rows(found, page)
        linked = await self.reads.links_of([row["_id"] for row in rows.rows])
        orders = [_view(row, linked_contact(row, linked.get(row["_id"]))) for row in rows.rows]
        ends = [Cursor(row["updatedAt"], row["_id"]) for row in rows.rows]
        return self._page(orders, ends, query, page, rows)

    def _page(
        self,
        orders: Sequence[Order],
        ends: Sequence[Cursor],
        query: Mapping[str, str],
        page: Page,
        rows: Any,
    ) -> Response:
        first, last = (ends[0], ends[-1]) if ends else (page.cursor, page.cursor)
        url = f"{self.urls.public_url}{BASE_PATH}/orders"
        cursor = page_links(url, query, rows, first, last)
        return json_response(OrderList(items=tuple(orders), links=cursor))


def _of_contact(query: Mapping[str, str], page: Page) -> list[Document]:
    """Return the pipeline for a contact's orders: links in order, each with what it links."""
    status = choice_in(query, "status", OrderStatus)
    created = {
        bound: at
        for bound, at in (
            ("$gte", time_in(query, "createdFrom")),
            ("$lte", time_in(query, "createdTo")),
        )
        if at is not None
    }
    # As in `contact_of`; the link was read first, so it is never the newer one.
    wanted: Document = {
        "found.deletedAt": {"$exists": False},
        "$expr": {"$gte": ["$contactVersion", "$found.contactSince"]},
    }
    if status:
        wanted["found.order.status"] = str(status)
    if created:
        wanted["found.order.createdAt"] = created
    return [
        {"$match": {"$and": [{"contactId": query["contactId"]}, page.where("registeredAt")]}},
        {"$sort": page.sort("registeredAt")},
        {"$lookup": {"from": ORDERS, "localField": "_id", "foreignField": "_id", "as": "found"}},
        {"$unwind": "$found"},
        {"$match": wanted},
        {"$limit": page.count + 1},
    ]


def _view(document: Document, contact_id: str | None) -> Order:
    state = order_of(document)
    if not isinstance(state, LiveOrder):
        raise TypeError("only orders that exist are asked for")
    return state.view(contact_id)


def _delivery(document: Document) -> DeliveryState:
    return DeliveryState(
        action_id=document["_id"],
        job_id=document["jobId"],
        action=document["action"],
        state=document["state"],
        attempts=tuple(
            Attempt(at=one["at"], status=one.get("status"), duration_ms=one.get("durationMs"))
            for one in document.get("attempts", ())
        ),
    )
