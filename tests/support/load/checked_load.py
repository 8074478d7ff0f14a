"""A load while something is done to the system, and its whole history held against the laws."""

from __future__ import annotations

from support.history.collector import collect
from support.history.history import History
from support.history.journal import Journal
from support.history.quiescence import wait_until_quiet
from support.laws.all_laws import check, report
from support.load.background_load import LoadProfile, all_order_ids
from support.stack.running_stack import RunningStack
from support.stack.wait import until


def until_more_calls(journal: Journal, calls: int = 100) -> None:
    """Wait until the load has made so many more calls."""
    wanted = len(journal.calls) + calls
    until(lambda: len(journal.calls) > wanted, seconds=120)


def checked_history(
    stack: RunningStack, profile: LoadProfile, journal: Journal, *, seconds: float = 120
) -> History:
    """Return the history of the load once the system is quiet; fails if it breaks a law."""
    wait_until_quiet(stack, all_order_ids(profile), seconds=seconds)
    history = collect(stack, journal).of(all_order_ids(profile))
    violations = check(history)
    assert not violations, report(violations)
    return history
