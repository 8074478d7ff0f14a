"""Bulk registration: many orders in one request, each row answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway import metrics
from gateway.app.command_acceptance import CommandAcceptance
from gateway.domain.command_record import Submission, command_of
from gateway.domain.query_params import choice_in
from gateway.domain.request_terms import RequestTerms, request_terms
from gateway.http.admission import JSON, MAX_BODY, Admission, body_too_large, media_type, read_body
from gateway.http.problems import ProblemError
from gateway.http.responses import json_response
from order_contracts.answers import MAX_ROWS, BulkResult, BulkRow
from order_contracts.commands import RegisterOrder
from order_contracts.decoding import Invalid, parse
from order_contracts.errors import MAX_ANSWERED, STATUS, FieldError
from order_contracts.values import Choice
from order_runtime.kafka.publisher import NotAccepted, OutcomeUnknown, RecordTooLarge

MAX_BULK: Final = 8 * 1024 * 1024
NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
YIELD_EVERY: Final = 50  # rows between two chances for other requests
MAX_ERRORS: Final = 10_000  # that the answer lists, of all rows; of what is left, their number


class ActionsOption(Choice):
    SUPPRESS = "suppress"


@dataclass(frozen=True, slots=True)
class BulkInput:
    """A row as it came: an order's JSON, or why there is none."""

    index: int
    value: Any = None
    refusal: BulkRow | None = None


@dataclass(slots=True)
class ErrorBudget:
    """How many errors the answer may still list."""

    left: int = MAX_ERRORS


@dataclass(frozen=True, slots=True)
class BulkRegistration:
    """POST /orders/bulk"""

    admission: Admission
    acceptance: CommandAcceptance

    async def register(self, request: Request) -> Response:
        key = self.admission.admit(request, "orders:write", ["actions"])
        suppress = (
            choice_in(request.query_params, "actions", ActionsOption) is ActionsOption.SUPPRESS
        )
        terms = request_terms(request.headers, key.id, preconditions=False)
        rows = await _rows(request)
        results = await self._settled(rows, terms, suppress=suppress)
        return json_response(BulkResult(rows=tuple(results)), _status(results))

    async def _settled(
        self, rows: Sequence[BulkInput], terms: RequestTerms, *, suppress: bool
    ) -> list[BulkRow]:
        now, room = datetime.now(UTC), ErrorBudget()
        looked: list[asyncio.Task[BulkRow | Submission]] = []
        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                if row.index % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
                terms_of_row = terms.of_row(row.index)
                look = self._looked_at(row, terms_of_row, now, room, suppress=suppress)
                looked.append(tasks.create_task(look))
        return await self._published([task.result() for task in looked])

    async def _looked_at(
        self,
        row: BulkInput,
        terms: RequestTerms,
        now: datetime,
        room: ErrorBudget,
        *,
        suppress: bool,
    ) -> BulkRow | Submission:
        """Return the row's command, or its answer where it needs none."""
        if row.refusal is not None:
            return row.refusal
        try:
            most = min(MAX_ANSWERED, room.left)
            order = command_of(RegisterOrder, row.value, now, most=most)
            if len(order.to_json()) > MAX_BODY:
                raise body_too_large(MAX_BODY)
            first = await self.acceptance.first_under(order, terms, suppress=suppress)
            if first is None and (owner := await self.acceptance.reads.owner(order.order_id)):
                first = await self.acceptance.first_under(order, terms, suppress=suppress)
                if first is None:
                    return self._exists(row.index, order.order_id, owner)
        except Invalid as error:
            room.left -= min(len(error.errors), room.left)
            return _invalid(row.index, row.value, error.errors)
        except ProblemError as error:
            return _refused(row.index, order.order_id, error)
        if first is not None:
            return self._accepted(row.index, order.order_id, first)
        return self.acceptance.submission(order, terms, suppress=suppress)

    async def _published(self, rows: Sequence[BulkRow | Submission]) -> list[BulkRow]:
        """Hand all commands over in their order, then wait for each one's acknowledgement."""
        handed = [(index, row, self._handed(row)) for index, row in enumerate(rows)]
        return [await self._outcome(index, row, future) for index, row, future in handed]

    def _handed(self, row: BulkRow | Submission) -> asyncio.Future[None] | None:
        if isinstance(row, BulkRow):
            return None
        try:
            return self.acceptance.publisher.hand_over(row.record())
        except NotAccepted:
            return None

    async def _outcome(
        self, index: int, row: BulkRow | Submission, future: asyncio.Future[None] | None
    ) -> BulkRow:
        if isinstance(row, BulkRow):
            return row
        order_id = row.command.order_id
        if future is None:
            return _told(index, order_id, "NotAccepted", "Kafka takes no more")
        try:
            await future
        except RecordTooLarge:
            return _told(index, order_id, "TooLarge", "The order is larger than Kafka takes")
        except OutcomeUnknown:
            told = _told(index, order_id, "OutcomeUnknown", "No answer in time; it may be applied")
            href = self.acceptance.urls.job(row.job_id)
            return told.model_copy(update={"job_id": row.job_id, "href": href})
        metrics.ACCEPTED.labels(type(row.command).__name__).inc()
        return self._accepted(index, order_id, row.job_id)

    def _accepted(self, index: int, order_id: str, job_id: str) -> BulkRow:
        href = self.acceptance.urls.job(job_id)
        return BulkRow(index=index, order_id=order_id, status=202, job_id=job_id, href=href)

    def _exists(self, index: int, order_id: str, owner: str) -> BulkRow:
        told = _told(index, order_id, "OrderExists", f"Job {owner} registered it")
        href = self.acceptance.urls.job(owner)
        return told.model_copy(update={"job_id": owner, "href": href})


async def _rows(request: Request) -> list[BulkInput]:
    """Return the rows of a JSON array, or of lines of JSON."""
    kind = media_type(request)
    if kind != JSON and kind not in NDJSON:
        raise ProblemError("UnsupportedMediaType", "Send application/json or application/x-ndjson.")
    content = await read_body(request, MAX_BULK)
    found = _lines(content) if kind in NDJSON else _items(content)
    rows = list(islice(found, MAX_ROWS + 1))
    if not 1 <= len(rows) <= MAX_ROWS:
        message = f"Must have 1 to {MAX_ROWS} orders"
        raise Invalid((FieldError(pointer="", code="OutOfRange", message=message),))
    return rows


def _items(content: bytes) -> Iterator[BulkInput]:
    value = parse(content)
    if not isinstance(value, list):
        raise Invalid((FieldError(pointer="", code="Invalid", message="Must be an array"),))
    return (BulkInput(index, item) for index, item in enumerate(value))


def _lines(content: bytes) -> Iterator[BulkInput]:
    lines = (line for line in content.split(b"\n") if line.strip())
    for index, line in enumerate(lines):
        if len(line) > MAX_BODY:
            yield BulkInput(index, refusal=_refused(index, None, body_too_large(MAX_BODY)))
            continue
        try:
            yield BulkInput(index, parse(line))
        except Invalid as error:
            yield BulkInput(index, refusal=_invalid(index, None, error.errors))


def _invalid(index: int, value: object, errors: tuple[FieldError, ...]) -> BulkRow:
    order_id = value.get("orderId") if isinstance(value, dict) else None
    named = order_id if isinstance(order_id, str) else None
    return BulkRow(index=index, order_id=named, status=400, errors=errors)


def _refused(index: int, order_id: str | None, refusal: ProblemError) -> BulkRow:
    return _told(index, order_id, refusal.problem.code, refusal.problem.detail)


def _told(index: int, order_id: str | None, code: str, message: str) -> BulkRow:
    metrics.REFUSED.labels(code).inc()
    error = FieldError(pointer="", code=code, message=message)
    return BulkRow(index=index, order_id=order_id, status=STATUS[code], errors=(error,))


def _status(rows: Sequence[BulkRow]) -> int:
    """Return 202 where every row was accepted, 400 where every one is invalid, else 207."""
    statuses = {row.status for row in rows}
    return statuses.pop() if statuses in ({202}, {400}) else 207
