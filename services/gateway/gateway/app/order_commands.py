"""The calls that change one order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.app.command_acceptance import CommandAcceptance
from gateway.domain.command_record import command_for_path, command_of
from gateway.domain.request_terms import request_terms
from gateway.http.admission import Admission, read_json
from gateway.http.problems import ProblemError
from order_contracts.commands import (
    ChangeOrderDelivery,
    ChangeOrderStatus,
    DeleteOrder,
    RegisterOrder,
    ReplaceOrder,
    TriggerOrderAction,
)
from order_contracts.identity import version_tag

C = TypeVar("C", ReplaceOrder, ChangeOrderStatus, ChangeOrderDelivery)


@dataclass(frozen=True, slots=True)
class OrderCommands:
    """Register, replace, delete, change, act: each is one command."""

    admission: Admission
    acceptance: CommandAcceptance

    async def register(self, request: Request) -> Response:
        key = self.admission.admit(request, "orders:write")
        terms = request_terms(request.headers, key.id, preconditions=False)
        order = command_of(RegisterOrder, await read_json(request), datetime.now(UTC))
        first = await self.acceptance.first_under(order, terms)
        if first is None and (owner := await self.acceptance.reads.owner(order.order_id)):
            # Both are stored in one transaction: whoever sees the order sees the key as well.
            first = await self.acceptance.first_under(order, terms)
            if first is None:
                raise self._exists(owner)
        return await self.acceptance.accept(order, terms, first)

    async def replace(self, request: Request) -> Response:
        return await self._change(request, ReplaceOrder)

    async def change_status(self, request: Request) -> Response:
        return await self._change(request, ChangeOrderStatus)

    async def change_delivery(self, request: Request) -> Response:
        return await self._change(request, ChangeOrderDelivery)

    async def delete(self, request: Request) -> Response:
        key = self.admission.admit(request, "orders:write")
        terms = request_terms(request.headers, key.id)
        command = command_for_path(
            DeleteOrder, request.path_params["order_id"], {}, datetime.now(UTC)
        )
        first = await self.acceptance.first_under(command, terms)
        return await self.acceptance.accept(command, terms, first)

    async def act(self, request: Request) -> Response:
        """Trigger an action; what can be known at once is answered at once."""
        key = self.admission.admit(request, "orders:write")
        terms = request_terms(request.headers, key.id, preconditions=False)
        command = command_for_path(
            TriggerOrderAction,
            request.path_params["order_id"],
            await read_json(request),
            datetime.now(UTC),
        )
        first = await self.acceptance.first_under(command, terms)
        if first is None:
            await self._check_actionable(command)
        return await self.acceptance.accept(command, terms, first)

    async def _change(self, request: Request, model: type[C]) -> Response:
        key = self.admission.admit(request, "orders:write")
        terms = request_terms(request.headers, key.id)
        order_id = request.path_params["order_id"]
        command = command_for_path(model, order_id, await read_json(request), datetime.now(UTC))
        first = await self.acceptance.first_under(command, terms)
        return await self.acceptance.accept(command, terms, first)

    async def _check_actionable(self, command: TriggerOrderAction) -> None:
        try:
            found = await self.acceptance.reads.standing(command.order_id)
        except DatabaseUnavailable:
            return  # the job tells
        if found is None:
            raise ProblemError("OrderNotFound", "There is no order with this orderId.")
        if command.version_tag != version_tag(found.job_id):
            raise ProblemError("VersionMismatch", "The order has another versionTag.", status=404)
        if found.contact_missing:
            raise ProblemError("ContactMissing", "The order's contact does not exist.")

    def _exists(self, owner: str) -> ProblemError:
        detail = f"An order with this orderId exists; job {owner} registered it."
        return ProblemError(
            "OrderExists", detail, job_id=owner, href=self.acceptance.urls.job(owner)
        )
