"""Every API call in every state of an order, with the response that the contract promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

STATES = ("absent", "present", "deleted", "again")
ALIVE = frozenset({"present", "again"})
NOT_FOUND = "OrderNotFound"
CHANGING_CALLS = ("replace", "delete", "change-status", "change-delivery")


@dataclass(frozen=True, slots=True)
class CallCase:
    """A call to an order in one state, and its expected result."""

    call: str
    state: str
    status: int
    code: str | None = None
    """The code of the problem, or of the error in a row of a bulk request."""
    end: str | None = None
    """The job's result: Completed, or the code of its failure."""
    if_match: str | None = None
    shows: Any = None
    """What the response of a reading call shows of the order."""

    def __str__(self) -> str:
        name = f"{self.call}-{self.state}"
        return f"{name}-{self.if_match}" if self.if_match else name

    @property
    def exists(self) -> bool:
        """Whether the order exists afterwards."""
        if self.end != "Completed":
            return self.state in ALIVE
        return self.call != "delete"


def call_cases() -> Iterator[CallCase]:
    for state in STATES:
        alive = state in ALIVE
        yield from _registrations(state, alive=alive)
        yield from _changes(state, alive=alive)
        yield from _actions(state, alive=alive)
        yield from _readings(state, alive=alive)
    yield from _preconditions()


def _registrations(state: str, *, alive: bool) -> Iterator[CallCase]:
    for call in ("register", "bulk"):
        if alive:
            yield CallCase(call, state, 409 if call == "register" else 207, code="OrderExists")
        else:
            yield CallCase(call, state, 202, end="Completed")


def _changes(state: str, *, alive: bool) -> Iterator[CallCase]:
    """Changes are accepted without a check that the order exists; the job fails instead."""
    for call in CHANGING_CALLS:
        yield CallCase(call, state, 202, end="Completed" if alive else NOT_FOUND)
    yield CallCase("replace-another", state, 400, code="ValidationFailed")


def _actions(state: str, *, alive: bool) -> Iterator[CallCase]:
    if alive:
        yield CallCase("action", state, 202, end="Completed")
        yield CallCase("action-mismatch", state, 404, code="VersionMismatch")
    else:
        yield CallCase("action", state, 404, code=NOT_FOUND)


def _readings(state: str, *, alive: bool) -> Iterator[CallCase]:
    known = state != "absent"
    jobs = {"absent": 0, "present": 1, "deleted": 2, "again": 3}[state]
    for call in ("get", "get-of-contact"):
        yield (
            CallCase(call, state, 200, shows="order")
            if alive
            else CallCase(call, state, 404, NOT_FOUND)
        )
    yield CallCase("get-of-another", state, 404, NOT_FOUND)
    yield CallCase("list-of-contact", state, 200, shows=int(alive))
    yield CallCase("jobs", state, 200, shows=jobs)
    if known:
        yield CallCase("history", state, 200, shows=jobs)
    else:
        yield CallCase("history", state, 404, NOT_FOUND)
    yield CallCase("integration-log", state, 200, shows=jobs - (jobs > 1))
    yield CallCase("check", state, 200, shows="there" if alive else "missing")
    yield CallCase("check-mismatch", state, 200, shows="differing" if alive else "missing")


def _preconditions() -> Iterator[CallCase]:
    for call in CHANGING_CALLS:
        for wanted in ("right", "any", "list"):
            yield CallCase(call, "present", 202, end="Completed", if_match=wanted)
        for wanted in ("wrong", "weak"):
            yield CallCase(call, "again", 202, end="VersionMismatch", if_match=wanted)
        yield CallCase(call, "present", 400, code="ValidationFailed", if_match="malformed")
        yield CallCase(call, "absent", 202, end=NOT_FOUND, if_match="any")
