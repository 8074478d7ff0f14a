"""Hypothesis strategies for orders of every shape that the contract allows; derandomized."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from order_contracts.order import ActionName, LineType, MatchKeyType, OrderStatus
from order_contracts.times import rfc3339
from order_contracts.values import RESERVED_ORDER_IDS
from support.builders.bodies import Json

settings.register_profile(
    "ordermill",
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The time at which generated orders are validated."""

_LARGEST = 10**15 - 1
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def text(max_size: int = 30, min_size: int = 0) -> st.SearchStrategy[str]:
    return st.text(_CHARACTERS, min_size=min_size, max_size=max_size)


def amounts(smallest: int = -_LARGEST) -> st.SearchStrategy[Any]:
    """Amounts of up to 15 digits and 8 decimals, as a number or as text."""
    exact = st.builds(
        lambda digits, decimals: Decimal(digits).scaleb(-decimals),
        st.integers(smallest, _LARGEST),
        st.integers(0, 8),
    )
    return exact.flatmap(lambda number: st.sampled_from([float(number), f"{number:f}"]))


def times() -> st.SearchStrategy[str]:
    offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
    seconds = st.integers(24 * 60 * 60, int(NOW.timestamp())) | st.just(-(10**10))
    moments = st.builds(lambda s, us: EPOCH + timedelta(0, s, us), seconds, st.integers(0, 999_999))
    return st.builds(lambda at, zone: at.astimezone(zone).isoformat(), moments, offsets)


def free_objects() -> st.SearchStrategy[Json]:
    """Any object of up to five levels; its numbers have up to 15 digits and any magnitude."""
    large = st.builds(
        lambda digits, power: float(f"{digits}e{power}"),
        st.integers(-_LARGEST, _LARGEST),
        st.integers(-280, 280),
    )
    leaves = st.none() | st.booleans() | st.integers(-_LARGEST, _LARGEST) | large | text(20)
    levels: st.SearchStrategy[Any] = leaves
    for _ in range(4):
        levels = leaves | st.lists(levels, max_size=2) | _members(levels)
    return _members(levels)


def order_bodies() -> st.SearchStrategy[Json]:
    """Valid bodies."""
    return _fields(
        {
            "orderId": order_ids(),
            "contact": _contacts(),
            "status": st.sampled_from(list(OrderStatus)),
            "currencyCode": st.sampled_from(["EUR", "sek", "Jpy"]),
            "totalPrice": amounts(),
            "createdAt": times(),
            "lineItems": _fields(
                {"items": st.lists(_lines(), min_size=1, max_size=3)}, {"subTotal": amounts()}
            ),
        },
        {
            "externalStoreId": text(min_size=1),
            "externalStatus": text(),
            "references": st.lists(text(), max_size=3),
            "channel": text(),
            "lastChangedAt": times(),
            "language": st.sampled_from(["en", "sv-SE", "zh-Hant-TW", "de-1996"]),
            "payments": _charges(),
            "fees": _charges(),
            "discounts": _charges(),
            "delivery": _deliveries(),
            "billingAddress": _addresses(),
            "extraData": free_objects(),
            "orderAction": _actions(),
        },
    )


def order_ids() -> st.SearchStrategy[str]:
    characters = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/")
    ids = st.text(characters, min_size=1, max_size=40)
    return ids.filter(lambda order_id: order_id not in RESERVED_ORDER_IDS)


def _contacts() -> st.SearchStrategy[Json]:
    return _fields(
        {
            "matchKey": text(min_size=1).map("k{}".format),
            "matchKeyType": st.sampled_from(list(MatchKeyType)),
        },
        {"contactType": text(min_size=1)},
    )


def _lines() -> st.SearchStrategy[Json]:
    return _fields(
        {
            "type": st.sampled_from(list(LineType)),
            "sku": text(min_size=1),
            "quantity": amounts(smallest=1),
            "totalPrice": amounts(),
        },
        {"unitPrice": amounts(), "description": text(), "discounts": _parts()},
    )


def _deliveries() -> st.SearchStrategy[Json]:
    days = st.dates().map(lambda day: day.isoformat())
    return _fields({}, {"method": text(), "trackingNumber": text(), "deliveryDate": days | times()})


def _actions() -> st.SearchStrategy[Json]:
    names = st.sampled_from(list(ActionName))
    return _fields({"action": names}, {"language": st.just("en"), "data": free_objects()})


def _addresses() -> st.SearchStrategy[Json]:
    return st.dictionaries(st.from_regex(r"[a-z][A-Za-z0-9]{0,9}", fullmatch=True), text())


def _charges() -> st.SearchStrategy[Json]:
    return _fields({}, {"items": _parts(), "total": amounts()})


def _parts() -> st.SearchStrategy[list[Json]]:
    return st.lists(free_objects(), max_size=2)


def _members(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.dictionaries(text(8) | st.sampled_from(["$ref", "a.b", ""]), values, max_size=2)


def _fields(
    required: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Json]:
    nullable = {name: values | st.none() for name, values in optional.items()}
    return st.fixed_dictionaries(required, optional=nullable)


def seconds_after_now(seconds: float) -> str:
    return rfc3339(NOW + timedelta(seconds=seconds))
