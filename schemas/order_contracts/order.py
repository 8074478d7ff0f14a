"""The order, as it comes in and as it is kept; sources in the contract, section 2."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints

from order_contracts.base import Message
from order_contracts.nulls import nulls_are_absent, or_default, without_null_members
from order_contracts.values import (
    FIELD_NAME,
    Amount,
    Choice,
    Currency,
    DayOrTime,
    ExactPastTime,
    FreeObject,
    Language,
    MatchKey,
    Name,
    OptionalName,
    OrderId,
    PastTime,
    Quantity,
    Text,
    Text100,
    Text1000,
    Time,
    Url,
    at_most,
)

MAX_LINES: Final = 1_000
MAX_PARTS: Final = 50
READ_ONLY: Final = frozenset({"orderType", "versionTag", "contactId", "registeredAt", "updatedAt"})
_READ_ONLY: Final[dict[str, JsonValue]] = {"readOnly": True}

AddressField = Annotated[str, StringConstraints(pattern=FIELD_NAME, min_length=1, max_length=64)]
Address = Annotated[
    dict[AddressField, Text],
    Field(max_length=30),
    at_most(30),
    BeforeValidator(without_null_members, json_schema_input_type=dict[AddressField, Text | None]),
]
"""title, firstname, lastname, street, zipCode, city, countryCode, …: text of up to 255 each."""

_PARTS: Final = Field(max_length=MAX_PARTS)
Parts = Annotated[
    tuple[FreeObject, ...],
    _PARTS,
    at_most(MAX_PARTS),
    nulls_are_absent(Annotated[tuple[FreeObject | None, ...], _PARTS]),
]
"""Payments, fees and discounts: the platform names no members, so they are kept as they came."""


_REFERENCES: Final = Field(max_length=50)
References = Annotated[
    tuple[Text, ...],
    _REFERENCES,
    at_most(50),
    nulls_are_absent(Annotated[tuple[Text | None, ...], _REFERENCES]),
]


class MatchKeyType(Choice):
    CONTACT_ID = "ContactId"
    EMAIL = "Email"
    MOBILE_PHONE = "MobilePhone"
    EXTERNAL_ID = "ExternalId"
    MEMBER_NUMBER = "MemberNumber"
    SOCIAL_SECURITY_NUMBER = "SocialSecurityNumber"
    CARD_ID = "CardId"


class OrderStatus(Choice):
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


class LineType(Choice):
    PURCHASE = "Purchase"
    RETURN = "Return"


class ActionName(Choice):
    CONFIRM_ORDER = "ConfirmOrder"
    CONFIRM_DELIVERY = "ConfirmDelivery"
    CONFIRM_SHIPMENT = "ConfirmShipment"
    CONFIRM_CANCELLATION = "ConfirmCancellation"
    CONFIRM_COMPLETION = "ConfirmCompletion"
    CUSTOM = "Custom"


_ContactType = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ContactType = Annotated[_ContactType, or_default("Member", _ContactType | None)]


class ContactKey(Message):
    """How the order names its contact."""

    match_key: MatchKey
    """Blanks and invisible marks at its ends are no part of it; more than these is required."""
    match_key_type: MatchKeyType
    contact_type: ContactType = "Member"


class LineItem(Message):
    type: LineType
    sku: Name
    quantity: Quantity
    total_price: Amount
    """Any sign; the total of a Return line counts against the order's total."""
    unit_price: Amount | None = None
    tax_amount: Amount | None = None
    tax_percent: Amount | None = None
    article_number: OptionalName = None
    description: Text1000 | None = None
    discounts: Parts | None = None
    image_url: Url | None = None
    target_url: Url | None = None
    extra_data: FreeObject | None = None


_LINES: Final = Field(min_length=1, max_length=MAX_LINES)
Lines = Annotated[
    tuple[LineItem, ...],
    _LINES,
    at_most(MAX_LINES),
    nulls_are_absent(Annotated[tuple[LineItem | None, ...], _LINES]),
]


class LineItems(Message):
    items: Lines
    sub_total: Amount | None = None


class Charges(Message):
    """Payments, fees or discounts."""

    items: Annotated[Parts, or_default((), Parts | None)] = ()
    total: Amount | None = None


class Delivery(Message):
    method: Text100 | None = None
    tracking_number: Text | None = None
    tracking_uri: Url | None = None
    delivery_date: DayOrTime | None = None


class ActionRequest(Message):
    """An action that the automation trigger is to run for the order."""

    action: ActionName
    language: Language | None = None
    data: FreeObject | None = None
    """Custom personalization data for the automation trigger."""


class Order(Message):
    """
    An order: as a client writes it, and with its read-only fields as it is answered and announced.

    Read-only fields are ignored in what is written: what was answered may be edited and sent back.
    """

    order_id: OrderId
    contact: ContactKey
    external_store_id: OptionalName = None
    status: OrderStatus
    external_status: Text | None = None
    references: References | None = None
    currency_code: Currency
    total_price: Amount
    """Negative where returns outweigh."""
    channel: Text100 | None = None
    created_at: PastTime
    last_changed_at: ExactPastTime | None = None
    language: Language | None = None
    line_items: LineItems
    payments: Charges | None = None
    fees: Charges | None = None
    discounts: Charges | None = None
    delivery: Delivery | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    extra_data: FreeObject | None = None
    order_action: ActionRequest | None = Field(default=None, json_schema_extra={"writeOnly": True})
    """Fires by itself when the order is stored and connected to its contact."""
    order_type: LineType | None = Field(default=None, json_schema_extra=_READ_ONLY)
    """Return if all lines are returns, else Purchase."""
    version_tag: str | None = Field(default=None, json_schema_extra=_READ_ONLY)
    """Changes with every applied change; base64 of 16 bytes."""
    registered_at: Time | None = Field(default=None, json_schema_extra=_READ_ONLY)
    updated_at: Time | None = Field(default=None, json_schema_extra=_READ_ONLY)
    contact_id: str | None = Field(default=None, json_schema_extra=_READ_ONLY)
    """The contact it is linked to, once it is."""


def order_type(order: Order) -> LineType:
    """Return `Return` if all lines are returns, else `Purchase`."""
    returns = all(line.type is LineType.RETURN for line in order.line_items.items)
    return LineType.RETURN if returns else LineType.PURCHASE
