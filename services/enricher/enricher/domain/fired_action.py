"""The message of an action that is fired, with its order as it was announced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic_core import to_json

from order_contracts.events import OrderAction
from order_contracts.order import ActionName
from order_contracts.values import free_json


@dataclass(frozen=True, slots=True)
class FiredAction:
    """An `OrderAction`, but for its order: that is JSON already."""

    TYPE: ClassVar[str] = OrderAction.TYPE

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    language: str | None
    data: dict[str, Any] | None
    order: bytes
    contact_id: str

    def to_json(self) -> bytes:
        """Return the message as `OrderAction` writes it, but for the order of its members."""
        members = {
            "actionId": self.action_id,
            "jobId": self.job_id,
            "orderId": self.order_id,
            "action": self.action,
            "contactId": self.contact_id,
        }
        if self.language is not None:
            members["language"] = self.language
        data = b"" if self.data is None else b',"data":%b' % free_json(self.data).encode()
        return b'%b%b,"order":%b}' % (to_json(members)[:-1], data, self.order)
