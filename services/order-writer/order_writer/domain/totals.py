"""Whether an order's totals add up; a mismatch is a warning, never a failure. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from order_contracts.order import Charges, LineType, Order

TOLERANCE: Final = Decimal("0.01")


def totals_mismatch(order: Order) -> bool:
    """
    Return whether totalPrice or subTotal is off by more than TOLERANCE.

    The sub-total is Σ Purchase − Σ Return, the total is that + fees − discounts.
    """
    lines = sum(
        [
            -line.total_price if line.type is LineType.RETURN else line.total_price
            for line in order.line_items.items
        ],
        Decimal(),
    )
    total = lines + _total(order.fees) - _total(order.discounts)
    sub_total = order.line_items.sub_total
    off = abs(total - order.total_price) > TOLERANCE
    return off or (sub_total is not None and abs(lines - sub_total) > TOLERANCE)


def _total(charges: Charges | None) -> Decimal:
    return charges.total if charges is not None and charges.total is not None else Decimal()
