"""Valid bodies of orders and reference data; a test names only its deviations."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

Json = dict[str, Any]

ABSENT = object()
"""As a deviation: removes the field."""

_RUN = uuid4().hex[:8]
_NUMBERS = count(1)
_KEYS = {
    "ContactId": "contactId",
    "Email": "email",
    "MobilePhone": "mobilePhone",
    "ExternalId": "externalId",
    "MemberNumber": "memberNumber",
    "SocialSecurityNumber": "socialSecurityNumber",
    "CardId": "cardId",
}


def unique(kind: str) -> str:
    """Return an id that no other call returns, in this or another run on the same stack."""
    return f"{kind}-{_RUN}-{next(_NUMBERS)}"


def order_body(
    order_id: str | None = None, *, lines: Sequence[Json] | None = None, **deviations: Any
) -> Json:
    """Return a new order of a contact that doesn't exist; its total is the sum of *lines*.

    Pass lines that are invalid on purpose as the deviation `lineItems`, which isn't summed up.
    """
    items = [line()] if lines is None else list(lines)
    body = {
        "orderId": unique("order") if order_id is None else order_id,
        "contact": {"matchKey": unique("contact"), "matchKeyType": "ContactId"},
        "status": "InProgress",
        "currencyCode": "EUR",
        "totalPrice": _total(items),
        "createdAt": "2025-11-28T10:00:00Z",
        "lineItems": {"items": items},
    }
    return _deviating(body, deviations)


def line(**deviations: Any) -> Json:
    body = {"type": "Purchase", "sku": unique("sku"), "quantity": 1, "totalPrice": 9.9}
    return _deviating(body, deviations)


def contact_body(contact_id: str | None = None, **deviations: Any) -> Json:
    identity = unique("contact") if contact_id is None else contact_id
    body = {
        "contactId": identity,
        "externalId": f"external-{identity}",
        "email": f"{identity}@example.com",
        "memberNumber": f"member-{identity}",
        "contactType": "Member",
    }
    return _deviating(body, deviations)


def matching(contact: Json, by: str = "ContactId") -> Json:
    """Return the `contact` of an order that belongs to this contact."""
    return {"matchKey": contact[_KEYS[by]], "matchKeyType": by}


def article_body(sku: str | None = None, **deviations: Any) -> Json:
    identity = unique("sku") if sku is None else sku
    return _deviating({"sku": identity, "articleNumber": identity, "name": "A mug"}, deviations)


def store_body(store_id: str | None = None, **deviations: Any) -> Json:
    identity = unique("store") if store_id is None else store_id
    return _deviating({"externalStoreId": identity, "name": "A shop"}, deviations)


def _deviating(body: Json, deviations: Json) -> Json:
    return {key: value for key, value in (body | deviations).items() if value is not ABSENT}


def _total(items: Sequence[Json]) -> float:
    """Return purchases minus returns, summed as decimals; the float is for JSON only."""
    return float(sum((_worth(item) for item in items), Decimal(0)))


def _worth(item: Json) -> Decimal:
    worth = Decimal(str(item["totalPrice"]))
    return -worth if item["type"] == "Return" else worth
