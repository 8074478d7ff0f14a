"""What the services announce: outcomes, enrichment, actions and their deliveries."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from order_contracts.base import Message
from order_contracts.errors import Failure
from order_contracts.order import ActionName, ActionRequest, Order
from order_contracts.values import FreeObject, Language


class EventType(StrEnum):
    """The `ce_type` of what the order-writer announces: the outcome of every command."""

    REGISTERED = "OrderRegistered.v1"
    REPLACED = "OrderReplaced.v1"
    DELETED = "OrderDeleted.v1"
    STATUS_CHANGED = "OrderStatusChanged.v1"
    DELIVERY_CHANGED = "OrderDeliveryChanged.v1"
    ACTION_REQUESTED = "OrderActionRequested.v1"
    UNCHANGED = "OrderUnchanged.v1"
    REJECTED = "OrderCommandRejected.v1"


class OrderEvent(Message):
    """
    On `orders.events`: the outcome of one command.

    At least once, under a stable `ce_id`. `version` is what the command made; `order_version`
    and `order` are what was stored when this was announced, absent if the order is deleted.
    """

    job_id: str
    order_id: str
    version: int | None = None
    order_version: int | None = None
    registration: str | None = None
    """
    The job that registered the order which the command met. An orderId that was deleted and
    registered again has another one: `order` may then be of a later life than the command.
    """
    order: Order | None = None
    action: ActionRequest | None = None
    error: Failure | None = None


class Missing(Message):
    """A reference that could not be found: the code of the integration log, and what."""

    code: str
    reference: str


class OrderEnriched(Message):
    """On `orders.enriched`: the contact the order was linked to, and what is missing."""

    TYPE: ClassVar[str] = "OrderEnriched.v1"

    job_id: str
    order_id: str
    version: int
    """The version at which the order was registered or replaced."""
    contact_id: str | None = None
    missing: tuple[Missing, ...] = ()


class OrderAction(Message):
    """On `orders.actions`: what the automation trigger is to receive."""

    TYPE: ClassVar[str] = "OrderAction.v1"

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    language: Language | None = None
    """The action's, else the order's, else the contact's."""
    data: FreeObject | None = None
    order: Order
    contact_id: str


class ActionDelivered(Message):
    """On `orders.deliveries`: the automation trigger answered 2xx."""

    TYPE: ClassVar[str] = "ActionDelivered.v1"

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    attempts: int
    status_code: int


class ActionFailed(Message):
    """On `orders.deliveries`: given up for good; an operator may replay it."""

    TYPE: ClassVar[str] = "ActionFailed.v1"

    action_id: str
    job_id: str
    order_id: str
    action: ActionName
    attempts: int
    status_code: int | None = None
    reason: str
