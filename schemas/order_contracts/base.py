"""What all messages have in common: immutable, lower camel case on the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from order_contracts.nulls import for_nulls, without_null_members


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
    @for_nulls
    def _without_nulls(cls, value: Any) -> Any:
        return without_null_members(value)

    def to_json(self) -> bytes:
        """Return the message as UTF-8 JSON, not escaped to ASCII; what is absent is left out."""
        return self.model_dump_json(exclude_none=True).encode()
