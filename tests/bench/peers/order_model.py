"""The order as a FastAPI application usually declares it: the fields and limits of the contract."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Text = Annotated[str, Field(max_length=255)]
Amount = Annotated[Decimal, Field(max_digits=15, decimal_places=8)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Status(StrEnum):
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


class Contact(Strict):
    match_key: Annotated[str, Field(min_length=1, max_length=255)]
    match_key_type: Text
    contact_type: Text = "Member"


class LineItem(Strict):
    type: Text
    sku: Text
    quantity: Amount
    total_price: Amount
    unit_price: Amount | None = None
    tax_amount: Amount | None = None
    tax_percent: Amount | None = None
    article_number: Text | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    discounts: list[dict[str, Any]] | None = None
    image_url: Text | None = None
    target_url: Text | None = None
    extra_data: dict[str, Any] | None = None


class LineItems(Strict):
    items: Annotated[list[LineItem], Field(min_length=1, max_length=1000)]
    sub_total: Amount | None = None


class Delivery(Strict):
    method: Text | None = None
    tracking_number: Text | None = None
    tracking_uri: Text | None = None
    delivery_date: Text | None = None


class OrderAction(Strict):
    action: Text
    language: Text | None = None
    data: dict[str, Any] | None = None


class Order(Strict):
    order_id: Annotated[str, Field(min_length=1, max_length=255)]
    contact: Contact
    external_store_id: Text | None = None
    status: Status
    external_status: Text | None = None
    references: list[Text] | None = None
    currency_code: Annotated[str, Field(min_length=3, max_length=3)]
    total_price: Amount
    channel: Annotated[str, Field(max_length=100)] | None = None
    created_at: datetime
    last_changed_at: datetime | None = None
    language: Text | None = None
    line_items: LineItems
    payments: dict[str, Any] | None = None
    fees: dict[str, Any] | None = None
    discounts: dict[str, Any] | None = None
    delivery: Delivery | None = None
    billing_address: dict[str, Text] | None = None
    shipping_address: dict[str, Text] | None = None
    extra_data: dict[str, Any] | None = None
    order_action: OrderAction | None = None
