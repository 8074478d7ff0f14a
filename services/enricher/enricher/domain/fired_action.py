"""The message of an action that is fired, with its order as it was announced."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from order_contracts.base import Message
from order_contracts.events import OrderAction
from order_contracts.order import ActionName
from order_contracts.values import FreeObject, Language


class FiredAction(Message):
    """An `OrderAction`, but for its order: that is JSON already."""

    TYPE: ClassVar[str] = OrderAction.TYPE

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    language: Language | None = None
    data: FreeObject | None = None
    contact_id: str
    order: bytes = Field(exclude=True)

    def to_json(self) -> bytes:
        return b'%b,"order":%b}' % (super().to_json()[:-1], self.order)
