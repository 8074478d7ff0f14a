"""Which errors of MongoDB's pass by themselves, and are waited for."""

from __future__ import annotations

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from order_runtime.process.retry import transient


@pytest.mark.parametrize("code", [134, 211], ids=["no majority yet", "no key for cluster times"])
def test_a_replica_set_that_was_started_as_a_whole_is_waited_for(code: int) -> None:
    """Where clients log in, it knows no key at first; all workers would end at once otherwise."""
    assert transient(OperationFailure("…", code))


@pytest.mark.parametrize("code", [13, 18, 20, 112], ids=str)
def test_what_an_operator_must_change_or_a_caller_must_decide_is_not(code: int) -> None:
    assert not transient(OperationFailure("…", code))


def test_a_connection_that_broke_is_waited_for() -> None:
    assert transient(AutoReconnect("…"))
