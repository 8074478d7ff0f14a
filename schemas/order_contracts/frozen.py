"""Values that nobody changes, at the cost of those that anybody may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(*, slots: bool = True) -> Callable[[type[T]], type[T]]:
    """
    Make a class a dataclass whose fields the type checker lets nobody assign.

    At runtime nothing refuses it: where it would, each field is set by a call when the value is
    made, and of those that are made for each command that took a twentieth of the order-writer's
    time. Other values are dataclasses with `frozen=True`.
    """
    return dataclass(slots=slots, unsafe_hash=True)
