"""Reference data that orders are checked against; more fields than these are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic.alias_generators import to_camel

from order_contracts.base import Message
from order_contracts.decoding import Invalid, read
from order_contracts.texts import is_blank
from order_contracts.values import Language, Name, OptionalName, SeenName

R = TypeVar("R", bound=Message)
EMPTY: Final = "empty"
INVALID: Final = "invalid"
FieldFaults = dict[str, str]
"""Why optional fields of a record were passed over, by their names: `empty` or `invalid`."""


class Contact(Message):
    """A person known to the platform, found by any of its keys."""

    contact_id: SeenName
    merged_into: OptionalName = None
    """The contactId that everything of this contact counts as, from this record on, for good."""
    email: OptionalName = None
    mobile_phone: OptionalName = None
    external_id: OptionalName = None
    member_number: OptionalName = None
    social_security_number: OptionalName = None
    card_id: OptionalName = None
    contact_type: OptionalName = None
    language: Language | None = None


class Article(Message):
    sku: Name
    article_number: OptionalName = None
    name: str | None = None


class Store(Message):
    external_store_id: Name
    name: str | None = None


ReferenceMessage = Contact | Article | Store


def read_reference(model: type[R], value: object) -> tuple[R, FieldFaults]:
    """
    Return *value*, parsed JSON, as reference data, without its optional fields that are at fault.

    A field that is empty, or only blanks, is absent; so is one that is malformed: it costs itself
    alone, since the record's other fields, and that it has this one no more, are as true as ever.
    Raises Invalid where a required field is at fault.
    """
    if not isinstance(value, Mapping):
        return read(model, value), {}
    optional = {to_camel(name) for name, it in model.model_fields.items() if not it.is_required()}
    faults = {name: EMPTY for name in sorted(optional) if _is_blank(value.get(name))}
    try:
        return read(model, _without(value, faults)), faults
    except Invalid as error:
        wrong = {it.pointer.removeprefix("/").partition("/")[0] for it in error.errors}
        if not wrong <= optional:
            raise
    faults |= dict.fromkeys(sorted(wrong), INVALID)
    return read(model, _without(value, faults)), faults


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and is_blank(value)


def _without(value: Mapping[str, object], faults: FieldFaults) -> dict[str, object]:
    return {name: item for name, item in value.items() if name not in faults}
