"""Null is absent: the steps of validation that pass over nulls, and validators without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any, Final, TypeVar

from pydantic import (
    BeforeValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import (
    CoreSchema,
    ErrorDetails,
    InitErrorDetails,
    PydanticCustomError,
    SchemaValidator,
)

F = TypeVar("F", bound=Callable[..., object])

_STEPS: Final[set[object]] = set()


def for_nulls(step: F) -> F:
    """Mark a step of validation that changes nothing where it meets no null."""
    _STEPS.add(step)
    return step


@for_nulls
def without_null_members(value: Any) -> Any:
    """Return an object without the members that are null: null is absent, unknown ones too."""
    # By type, since a Decimal takes long to say that it doesn't equal None.
    if isinstance(value, dict) and NoneType in map(type, value.values()):
        return {name: item for name, item in value.items() if item is not None}
    return value


def or_default(default: object, taken: object) -> BeforeValidator:
    """Take *default* for null, which is absent; *taken* is the type that the schemas tell."""

    @for_nulls
    def given(value: object) -> object:
        return default if value is None else value

    return BeforeValidator(given, json_schema_input_type=taken)


@for_nulls
def _without_null_items(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """Check a list without its nulls, which are absent; errors tell the places in the whole one."""
    if not isinstance(value, list | tuple) or None not in value:
        return check(value)
    places = [at for at, item in enumerate(value) if item is not None]
    try:
        return check([value[at] for at in places])
    except ValidationError as error:
        details = [_placed(detail, places) for detail in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(error.title, details) from None


def _placed(detail: ErrorDetails, places: Sequence[int]) -> InitErrorDetails:
    """Return an error of a list without its nulls as one of the whole list."""
    location = detail["loc"]
    if location and isinstance(location[0], int):
        location = (places[location[0]], *location[1:])
    kind = PydanticCustomError(detail["type"], detail["msg"], detail.get("ctx"))
    return InitErrorDetails(type=kind, loc=location, input=detail["input"])


def nulls_are_absent(taken: object) -> WrapValidator:
    """Pass over the nulls of a list; *taken* is the type that the schemas tell."""
    return WrapValidator(_without_null_items, json_schema_input_type=taken)


def validator_without_null_steps(schema: CoreSchema) -> SchemaValidator:
    """
    Return a validator of *schema* that calls no step marked by `for_nulls`.

    Nearly all messages hold no null, and to look for one in each object and list is a quarter of
    their validation. A null is left to the fields then: one that may be None takes it, which is
    what it is where it is absent; any other refuses it.
    """
    # Not the validators that the models have already: those are with these steps.
    return SchemaValidator(_without_steps(schema), _use_prebuilt=False)


def _without_steps(part: Any) -> Any:
    if isinstance(part, dict):
        if _is_for_nulls(part):
            return _without_steps(part["schema"])
        return {name: _without_steps(item) for name, item in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(map(_without_steps, part))
    return part


def _is_for_nulls(part: dict[str, Any]) -> bool:
    described = part.get("function")
    if not isinstance(described, dict):
        return False  # no step of validation
    function = described.get("function")
    return getattr(function, "__func__", function) in _STEPS  # of a class method, what it binds
