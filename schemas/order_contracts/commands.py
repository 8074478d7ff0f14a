"""The commands on `orders.commands`: what may be asked to happen to an order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from order_contracts.base import Message
from order_contracts.nulls import without_null_members
from order_contracts.order import ActionName, ActionRequest, Delivery, Order, OrderStatus
from order_contracts.values import ExactPastTime, FreeObject, Language, Name, OrderId, Text


class RegisterOrder(Order):
    """Create the order; fails where one with this orderId exists."""


class ReplaceOrder(Order):
    """Replace the order as a whole, never partially."""


class DeleteOrder(Message):
    order_id: OrderId


_STATUSES: Final = frozenset({"status", "externalStatus", "external_status"})


def _given(value: object) -> object:
    if value is None:
        raise PydanticCustomError("missing", "Is required")
    return value


class StatusChange(Message):
    """The body of change-status: a status, an externalStatus, or both; an absent one stays."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["status"]}, {"required": ["externalStatus"]}]}
    )

    status: Annotated[OrderStatus | None, BeforeValidator(_given)] = None
    external_status: Text | None = None
    last_changed_at: ExactPastTime
    order_action: ActionRequest | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Return the body with a null status, which is refused, where nothing is to change."""
        given = without_null_members(value)
        if isinstance(given, dict) and not given.keys() & _STATUSES:
            return {**given, "status": None}
        return given


class ChangeOrderStatus(StatusChange):
    order_id: OrderId


class DeliveryPatch(Delivery):
    """What changes of a delivery: absent fields stay, `null` clears, so it is written."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return value

    @model_serializer(mode="wrap")
    def _with_cleared(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        given: dict[str, Any] = written(self)
        cleared = [name for name in self.model_fields_set if getattr(self, name) is None]
        return given | dict.fromkeys(map(to_camel, sorted(cleared)))


class DeliveryChange(Message):
    """The body of change-delivery."""

    delivery: DeliveryPatch
    last_changed_at: ExactPastTime
    order_action: ActionRequest | None = None


class ChangeOrderDelivery(DeliveryChange):
    order_id: OrderId


class ActionTrigger(Message):
    """The body of action; versionTag must be the order's."""

    action: ActionName
    version_tag: Name
    language: Language | None = None
    data: FreeObject | None = None


class TriggerOrderAction(ActionTrigger):
    order_id: OrderId


Command = (
    RegisterOrder
    | ReplaceOrder
    | DeleteOrder
    | ChangeOrderStatus
    | ChangeOrderDelivery
    | TriggerOrderAction
)

COMMANDS: Final[Mapping[str, type[Command]]] = MappingProxyType(
    {
        f"{model.__name__}.v1": model
        for model in (
            RegisterOrder,
            ReplaceOrder,
            DeleteOrder,
            ChangeOrderStatus,
            ChangeOrderDelivery,
            TriggerOrderAction,
        )
    }
)
"""Each command's model by its `ce_type`."""


def type_of(command: type[Command]) -> str:
    """Return the `ce_type` of a command."""
    return f"{command.__name__}.v1"
