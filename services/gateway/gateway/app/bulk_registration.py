"""Bulk registration: many orders in one request, each row answered on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.app.command_acceptance import CommandAcceptance
from gateway.domain.command_record import Submission, command_of
from gateway.domain.problem_error import ProblemError
from gateway.domain.query_params import choice_in
from gateway.domain.request_terms import RequestTerms, request_terms
from gateway.http.admission import Admission
from gateway.http.bulk_body import BulkInput, NotJson, read_rows
from gateway.http.problems import count_refused
from gateway.http.request_body import MAX_BODY, body_too_large
from gateway.http.request_fields import fields
from gateway.http.request_span import in_span
from gateway.http.responses import json_response
from gateway.http.turns import Turns
from order_contracts.answers import BulkResult, BulkRow
from order_contracts.commands import RegisterOrder
from order_contracts.decoding import Invalid
from order_contracts.errors import MAX_ANSWERED, FieldError
from order_contracts.rounding import RoundedNumbers, Roundings

MAX_ERRORS: Final = 10_000  # listed in the answer, over all rows; further ones are only counted


@dataclass(slots=True)
class ErrorBudget:
    """How many errors the answer may still list."""

    left: int = MAX_ERRORS


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """The order of a row, and which of its numbers were rounded."""

    order: RegisterOrder
    rounded: Roundings


@dataclass(frozen=True, slots=True)
class BulkRegistration:
    admission: Admission
    acceptance: CommandAcceptance

    async def register(self, request: Request) -> Response:
        key = self.admission.admit(request, "orders:write", ["actions"])
        actions = choice_in(request.query_params, "actions", ("suppress",))
        terms = request_terms(fields(request.scope), key.client, preconditions=False)
        terms = replace(terms, suppress_actions=actions == "suppress")
        rows = await read_rows(request)
        terms = in_span(self.acceptance.tracing, request, terms, len(rows))
        async with self.admission.memory.bulk_turn:
            prepared = await self._prepare_all(rows, terms)
            results = await self._publish_all(prepared)
        return json_response(BulkResult(rows=tuple(results)), _status(results))

    async def _prepare_all(
        self, rows: Sequence[BulkInput], terms: RequestTerms
    ) -> list[BulkRow | Submission]:
        """Read one row after the other, then look all up at once: so look-ups share queries."""
        now, budget, turns = datetime.now(UTC), ErrorBudget(), Turns()
        read = []
        for row in rows:
            await turns.give_way()
            read.append(_read(row, now, budget))
        prepared: list[asyncio.Task[BulkRow | Submission]] = []
        async with asyncio.TaskGroup() as tasks:
            for index, row_read in enumerate(read):
                await turns.give_way()
                prepare = self._prepare(index, row_read, terms.of_row(index))
                prepared.append(tasks.create_task(prepare))
        return [task.result() for task in prepared]

    async def _prepare(
        self, index: int, read: BulkRow | ReadOrder, terms: RequestTerms
    ) -> BulkRow | Submission:
        """Return the command to publish, or the result of a row for which there is none."""
        if isinstance(read, BulkRow):
            return read
        order = read.order
        try:
            earlier = await self.acceptance.earlier_registration(order, terms)
        except ProblemError as error:
            return _refused(index, order.order_id, error)
        if earlier is not None:
            return self._accepted(index, order.order_id, earlier)
        return self.acceptance.submission(order, terms, read.rounded)

    async def _publish_all(self, prepared: Sequence[BulkRow | Submission]) -> list[BulkRow]:
        """Hand over all commands in the order of the rows, then wait for each acknowledgement."""
        handed_over, turns = [], Turns()
        for index, prepared_row in enumerate(prepared):
            await turns.give_way()
            handed_over.append(self._hand_over(index, prepared_row))
        return [
            row if isinstance(row, BulkRow) else await self._result(index, *row)
            for index, row in enumerate(handed_over)
        ]

    def _hand_over(
        self, index: int, row: BulkRow | Submission
    ) -> BulkRow | tuple[Submission, asyncio.Future[None]]:
        if isinstance(row, BulkRow):
            return row
        try:
            return row, self.acceptance.hand_over(row)
        except ProblemError as error:
            return _refused(index, row.command.order_id, error)

    async def _result(
        self, index: int, submission: Submission, future: asyncio.Future[None]
    ) -> BulkRow:
        order_id = submission.command.order_id
        try:
            await self.acceptance.acknowledged(submission, future)
        except ProblemError as error:
            return _refused(index, order_id, error)
        return self._accepted(index, order_id, submission.job_id)

    def _accepted(self, index: int, order_id: str, job_id: str) -> BulkRow:
        href = self.acceptance.urls.job(job_id)
        return BulkRow(index=index, order_id=order_id, status=202, job_id=job_id, href=href)


def _read(row: BulkInput, now: datetime, budget: ErrorBudget) -> BulkRow | ReadOrder:
    """Return the order of a row, or why it is refused; raises NotJson."""
    value, rounded = None, RoundedNumbers()
    try:
        value, most = row.value(), min(MAX_ANSWERED, budget.left)
        order = command_of(RegisterOrder, value, now, most=most, rounded=rounded)
        if len(order.to_json()) > MAX_BODY:
            raise body_too_large(MAX_BODY)
    except NotJson:
        raise
    except Invalid as error:
        budget.left -= min(len(error.errors), budget.left)
        return _refused(row.index, _order_id_in(value), error)
    except ProblemError as error:
        return _refused(row.index, _order_id_in(value), error)
    return ReadOrder(order, rounded.found)


def _refused(index: int, order_id: str | None, error: Invalid | ProblemError) -> BulkRow:
    """Return the result of a row as a single request would be answered with *error*."""
    if isinstance(error, Invalid):
        return BulkRow(index=index, order_id=order_id, status=400, errors=error.errors)
    problem = error.problem
    count_refused(problem.code)
    return BulkRow(
        index=index,
        order_id=order_id,
        status=problem.status,
        job_id=problem.job_id,
        href=problem.href,
        errors=(FieldError(pointer="", code=problem.code, message=problem.detail),),
    )


def _order_id_in(value: object) -> str | None:
    order_id = value.get("orderId") if isinstance(value, dict) else None
    return order_id if isinstance(order_id, str) else None


def _status(rows: Sequence[BulkRow]) -> int:
    """Return 202 where every row was accepted, 400 where every one is invalid, else 207."""
    statuses = {row.status for row in rows}
    return statuses.pop() if statuses in ({202}, {400}) else 207
