"""The calls that change one order: register, replace, delete, change, trigger an action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.app.command_acceptance import CommandAcceptance
from gateway.app.command_answer import CommandAnswer
from gateway.domain.command_record import command_for_path, command_of
from gateway.domain.problem_error import ProblemError
from gateway.domain.request_terms import RequestTerms, request_terms
from gateway.http.admission import Admission
from gateway.http.request_body import read_json
from gateway.http.request_fields import fields
from gateway.http.request_span import in_span
from order_contracts.commands import (
    ChangeOrderDelivery,
    ChangeOrderStatus,
    Command,
    DeleteOrder,
    RegisterOrder,
    ReplaceOrder,
    TriggerOrderAction,
)
from order_contracts.derived_ids import version_tag
from order_contracts.rounding import NONE_ROUNDED, RoundedNumbers, Roundings

C = TypeVar("C", ReplaceOrder, ChangeOrderStatus, ChangeOrderDelivery)


@dataclass(frozen=True, slots=True)
class OrderCommands:
    """Each call publishes one command, unless it repeats an earlier one."""

    admission: Admission
    acceptance: CommandAcceptance
    answers: CommandAnswer

    async def register(self, request: Request) -> Response:
        terms = self._admit(request, preconditions=False)
        body, rounded = await read_json(request), RoundedNumbers()
        order = command_of(RegisterOrder, body, datetime.now(UTC), rounded=rounded)
        earlier = await self.acceptance.earlier_registration(order, terms)
        return await self._accept(request, order, terms, earlier, rounded.found)

    async def replace(self, request: Request) -> Response:
        return await self._change(request, ReplaceOrder)

    async def change_status(self, request: Request) -> Response:
        return await self._change(request, ChangeOrderStatus)

    async def change_delivery(self, request: Request) -> Response:
        return await self._change(request, ChangeOrderDelivery)

    async def delete(self, request: Request) -> Response:
        terms = self._admit(request)
        order_id = request.path_params["order_id"]
        command = command_for_path(DeleteOrder, order_id, {}, datetime.now(UTC))
        earlier = await self.acceptance.earlier_job(command, terms)
        return await self._accept(request, command, terms, earlier)

    async def act(self, request: Request) -> Response:
        """Trigger an action; refused at once where the stored order already rules it out."""
        terms = self._admit(request, preconditions=False)
        order_id, body = request.path_params["order_id"], await read_json(request)
        now, rounded = datetime.now(UTC), RoundedNumbers()
        command = command_for_path(TriggerOrderAction, order_id, body, now, rounded=rounded)
        earlier = await self.acceptance.earlier_job(command, terms)
        if earlier is None:
            await self._check_preconditions(command)
        return await self._accept(request, command, terms, earlier, rounded.found)

    async def _change(self, request: Request, model: type[C]) -> Response:
        terms = self._admit(request)
        order_id, body = request.path_params["order_id"], await read_json(request)
        now, rounded = datetime.now(UTC), RoundedNumbers()
        command = command_for_path(model, order_id, body, now, rounded=rounded)
        earlier = await self.acceptance.earlier_job(command, terms)
        return await self._accept(request, command, terms, earlier, rounded.found)

    def _admit(self, request: Request, *, preconditions: bool = True) -> RequestTerms:
        key = self.admission.admit(request, "orders:write")
        return request_terms(fields(request.scope), key.client, preconditions=preconditions)

    async def _accept(
        self,
        request: Request,
        command: Command,
        terms: RequestTerms,
        earlier: str | None,
        rounded: Roundings = NONE_ROUNDED,
    ) -> Response:
        """Answer for the *earlier* job of the same request, else publish the command."""
        if (job_id := earlier) is None:
            traced = in_span(self.acceptance.tracing, request, terms)
            job_id = await self.acceptance.publish(command, traced, rounded)
        return await self.answers.answer(job_id, command.order_id, terms)

    async def _check_preconditions(self, command: TriggerOrderAction) -> None:
        try:
            found = await self.acceptance.reads.action_preconditions(command.order_id)
        except DatabaseUnavailable:
            return  # the job will fail instead
        if found is None:
            raise ProblemError("OrderNotFound", "There is no order with this orderId.")
        if command.version_tag != version_tag(found.job_id):
            raise ProblemError("VersionMismatch", "The order has another versionTag.", status=404)
        if found.contact_missing:
            raise ProblemError("ContactMissing", "The order's contact does not exist.")
