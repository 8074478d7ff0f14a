"""The example order of the documents."""

from __future__ import annotations

from typing import Any, Final

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
