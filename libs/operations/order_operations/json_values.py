"""Values and MongoDB documents as JSON. Pure."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128

from order_contracts.times import rfc3339

Json = dict[str, Any]


def json_of(value: Any) -> Any:
    """
    Return what `json.dumps` takes: a dataclass by its fields in camel case, times as RFC 3339.

    Decimals become numbers, and bytes null: they repeat what other fields hold.
    """
    match value:
        case dict():
            return {name: json_of(it) for name, it in value.items()}
        case list() | tuple():
            return [json_of(it) for it in value]
        case _ if is_dataclass(value):
            return {_camel(it.name): json_of(getattr(value, it.name)) for it in fields(value)}
        case _:
            return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case datetime():
            return rfc3339(value)
        case Decimal128() | Decimal():
            return float(str(value))
        case bytes():
            return None
        case _:
            return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))
