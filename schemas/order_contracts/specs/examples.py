"""The examples of the documents: one order and what becomes of it."""

from __future__ import annotations

import re
from typing import Any, Final

from order_contracts.errors import STATUS as _STATUS
from order_contracts.routes import BASE_PATH as _BASE_PATH

NEW_ORDER: Final[dict[str, Any]] = {
    "orderId": "1001",
    "contact": {"matchKey": "kim@example.com", "matchKeyType": "Email"},
    "externalStoreId": "web",
    "status": "InProgress",
    "currencyCode": "EUR",
    "totalPrice": 38.3,
    "createdAt": "2026-01-15T09:30:00Z",
    "language": "en-GB",
    "lineItems": {
        "items": [
            {
                "type": "Purchase",
                "sku": "85123A",
                "quantity": 6,
                "unitPrice": 2.55,
                "totalPrice": 15.3,
                "description": "White hanging heart candle holder",
            },
            {"type": "Purchase", "sku": "22752", "quantity": 2, "totalPrice": 18},
        ]
    },
    "fees": {"items": [{"type": "Shipping", "amount": 5}], "total": 5},
    "orderAction": {"action": "ConfirmOrder"},
}

_API: Final = f"https://orders.example.com{_BASE_PATH}"
_JOB_ID: Final = "0199f0a2-7b1c-8e4d-b3a1-5c2f9d7e6a10"
_TAG: Final = "bT1RZ0hqS2xNbk9wUXJTdA=="
_HREF: Final = f"{_API}/orders/jobs/{_JOB_ID}"

RECEIPT: Final = {"jobId": _JOB_ID, "status": "Accepted", "orderId": "1001", "href": _HREF}
JOB: Final = {
    "jobId": _JOB_ID,
    "orderId": "1001",
    "operation": "RegisterOrder",
    "status": "Completed",
    "stages": {"storage": "done", "enrichment": "done", "action": "delivered"},
    "errors": [],
    "warnings": [],
    "versionTag": _TAG,
    "createdAt": "2026-01-15T09:30:01.000Z",
    "updatedAt": "2026-01-15T09:30:01.420Z",
    "expiresAt": "2026-02-14T09:30:01.000Z",
    "href": _HREF,
    "order": {"href": f"{_API}/orders/1001"},
}
ORDER: Final = {
    **{name: value for name, value in NEW_ORDER.items() if name != "orderAction"},
    "createdAt": "2026-01-15T09:30:00.000Z",
    "orderType": "Purchase",
    "versionTag": _TAG,
    "registeredAt": "2026-01-15T09:30:01.012Z",
    "updatedAt": "2026-01-15T09:30:01.012Z",
    "contactId": "c-1",
}
ORDERS: Final = {
    "items": [ORDER],
    "links": [
        {
            "rel": "next",
            "href": f"{_API}/orders?contactId=c-1&continuation=WzE3NjgsICIxMDAxIiwgMF0",
        }
    ],
}
ACTION: Final = {"action": "ConfirmShipment", "versionTag": _TAG, "data": {"parcels": 2}}
STATUS: Final = {
    "status": "Completed",
    "externalStatus": "shipped",
    "lastChangedAt": "2026-01-16T08:00:00Z",
    "orderAction": {"action": "ConfirmCompletion"},
}
DELIVERY: Final = {
    "delivery": {"method": "Parcel", "trackingNumber": "JD014600", "deliveryDate": "2026-01-18"},
    "lastChangedAt": "2026-01-16T08:00:00Z",
}
_ENTRY: Final = {
    "id": "5f2d3c1a-9d42-5a5e-8f63-2f0f1e0b7c55",
    "severity": "Warning",
    "type": "Orders",
    "code": "ArticleMissing",
    "message": "A line of the order names an article that is not known.",
    "proposedAction": "Import the article, or correct the line's sku.",
    "orderId": "1001",
    "jobId": _JOB_ID,
    "reference": "22752",
    "at": "2026-01-15T09:30:01.300Z",
}
LOG: Final = {"items": [_ENTRY], "links": []}
HISTORY: Final = {
    "orderId": "1001",
    "jobs": [JOB],
    "warnings": [_ENTRY],
    "deliveries": [
        {
            "actionId": "0d6f6b86-56c1-5be0-9a3e-0a6f1b6f7d11",
            "jobId": _JOB_ID,
            "action": "ConfirmOrder",
            "state": "delivered",
            "attempts": [{"at": "2026-01-15T09:30:01.350Z", "status": 204, "durationMs": 31}],
        }
    ],
}
_ROW: Final = {"index": 0, "orderId": "1001", "status": 202, "jobId": _JOB_ID, "href": _HREF}
_BAD_ROW: Final = {
    "index": 1,
    "orderId": "1002",
    "status": 400,
    "errors": [{"pointer": "/currencyCode", "code": "Required", "message": "Is required"}],
}
BULK: Final = {"rows": [_ROW]}
BULK_MIXED: Final = {"rows": [_ROW, _BAD_ROW]}
EXPECTED: Final = {"orders": [{"orderId": "1001", "versionTag": _TAG}, {"orderId": "1002"}]}
CHECKED: Final = {"checked": 2, "missing": ["1002"], "differing": []}


def problem_example(code: str) -> dict[str, Any]:
    """Return a problem with *code*, as the gateway would answer it."""
    errors = _BAD_ROW["errors"] if code == "ValidationFailed" else []
    return {
        "type": f"urn:ordermill:problem:{code}",
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code).capitalize(),
        "status": _STATUS[code],
        "detail": "What went wrong, in a sentence.",
        "code": code,
        "errors": errors,
    }
