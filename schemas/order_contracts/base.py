"""What all messages have in common: immutable, lower camel case on the wire."""

from __future__ import annotations

from types import NoneType
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


def without_null_members(value: Any) -> Any:
    """Return an object without the members that are null: null is absent, unknown ones too."""
    if isinstance(value, dict) and NoneType in map(type, value.values()):
        return {name: item for name, item in value.items() if item is not None}
    return value


class Message(BaseModel):
    """
    Base of every message.

    Code builds messages by field name; the wire is read by alias alone (see `decoding`).
    Whether unknown fields are refused is the reader's choice, not the model's.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # As nearly all have none, a call is saved for each object. By type, since a Decimal takes
        # long to say that it doesn't equal None.
        if isinstance(value, dict) and NoneType not in map(type, value.values()):
            return value
        return without_null_members(value)

    def to_json(self) -> bytes:
        """Return the message as UTF-8 JSON, not escaped to ASCII; what is absent is left out."""
        return self.model_dump_json(exclude_none=True).encode()
