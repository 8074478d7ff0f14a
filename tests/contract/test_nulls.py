"""A null is absent, also for the validators that don't look for nulls, by which all is read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from order_contracts import answers, events, integration_log, job, problem, reference
from order_contracts.base import Message
from order_contracts.commands import COMMANDS, ChangeOrderDelivery
from order_contracts.decoding import Invalid, read
from order_contracts.errors import field_errors
from order_contracts.nulls import validator_without_null_steps
from order_contracts.rounding import RoundedNumbers
from support.builders.bodies import line, order_body
from support.builders.validation import parsed

# By importing them all messages are known.
MODULES = (answers, events, integration_log, job, problem, reference)
SEEDS = range(40)


def messages(base: type[Message] = Message) -> Iterator[type[Message]]:
    for model in base.__subclasses__():
        yield model
        yield from messages(model)


def quick(model: type[BaseModel]) -> SchemaValidator:
    return validator_without_null_steps(TypeAdapter(model).core_schema)


@pytest.mark.parametrize("model", sorted(set(messages()), key=str), ids=lambda it: it.__name__)
def test_a_field_takes_null_only_where_that_is_what_it_is_if_absent(model: type[Message]) -> None:
    validator = quick(model)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        try:
            validator.validate_python({alias: None}, by_alias=True, by_name=False)
        except ValidationError as error:
            if any(detail["loc"][:1] == (alias,) for detail in error.errors()):
                continue  # it refuses null
        assert not field.is_required(), f"{name} takes null, and is required"
        assert field.get_default(call_default_factory=True) is None, name


def sown(value: Any, chance: random.Random) -> Any:
    """Return JSON with nulls for some of its parts, and with null items, and wrong parts."""
    if isinstance(value, dict):
        kept = {name: sown(item, chance) for name, item in value.items()}
        return {name: None if chance.random() < 0.03 else item for name, item in kept.items()}
    if isinstance(value, list):
        spread = [part for item in value for part in (None, sown(item, chance))]
        return [item for item in spread if item is not None or chance.random() < 0.3]
    return "" if chance.random() < 0.01 else value


def full_order() -> dict[str, Any]:
    parts = {"items": [{"kind": "card", "amount": 0.1 + 0.2}, {"a": None}], "total": 0.3}
    return order_body(
        references=["a", "b"],
        externalStatus="packed",
        extraData={"a": [None, 1], "b": {"c": None}},
        payments=parts,
        fees=parts,
        delivery={"method": "Parcel", "trackingNumber": "1"},
        orderAction={"action": "Custom", "data": {"x": None}},
        lineItems={"items": [line(discounts=[{"n": 1}], unitPrice=0.1 + 0.2), line()]},
        unknown={"a": None},
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", ["RegisterOrder.v1", "ReplaceOrder.v1"])
def test_what_has_nulls_is_read_as_by_the_validator_that_looks_for_them(
    kind: str, seed: int, *, strict: bool
) -> None:
    model, value = COMMANDS[kind], sown(parsed(full_order()), random.Random(seed))
    expected: object
    try:
        expected = TypeAdapter(model).validate_python(
            value, extra="forbid" if strict else "ignore", by_alias=True, by_name=False
        )
    except ValidationError as error:
        expected = field_errors(error)
    found: object
    try:
        found = read(model, value, strict=strict)
    except Invalid as error:
        found = error.errors
    assert found == expected


def test_numbers_are_counted_once_as_rounded_where_a_body_is_read_twice() -> None:
    told = RoundedNumbers()
    body = parsed(order_body(references=["a", None], fees={"total": 0.1 + 0.2}))
    read(COMMANDS["RegisterOrder.v1"], body, strict=True, rounded=told)
    assert told.found.count == 1


def test_a_null_of_a_delivery_that_changes_clears_it() -> None:
    body = {
        "orderId": "o-1",
        "delivery": {"method": None},
        "lastChangedAt": "2025-11-28T10:00:00Z",
    }
    assert read(ChangeOrderDelivery, body).delivery.model_fields_set == {"method"}
