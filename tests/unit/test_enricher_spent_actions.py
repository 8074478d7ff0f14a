"""Which jobs lose their action's data once their order was deleted or replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from enricher.domain.announced import AnnouncedEvent
from enricher.domain.model import ReceivedEvent
from enricher.domain.spent_actions import ActionData, EndedOrder, ended_orders, spent_actions
from order_contracts.events import EventType

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REPLACED = EndedOrder("o-1", "reg", "job-9", AT)
DELETED = replace(REPLACED, replaced_at=None)
DATA = ActionData("job-1", "o-1", "reg", AT, enriched=True)


def event(
    kind: EventType, job_id: str, *, seconds: int = 0, order_id: str = "o-1", life: str = "reg"
) -> ReceivedEvent:
    data = AnnouncedEvent(job_id, order_id, registration=life)
    return ReceivedEvent(kind, data, AT + seconds * SECOND)


def test_each_order_is_ended_once_by_its_last_replacement() -> None:
    """However many replacements of it are in a batch, and in whatever order they come again."""
    events = [
        event(EventType.REPLACED, "job-1"),
        event(EventType.STATUS_CHANGED, "job-2", seconds=4),
        event(EventType.REPLACED, "job-3", seconds=2),
        event(EventType.REPLACED, "job-1"),
        event(EventType.REGISTERED, "job-4", seconds=3),
        event(EventType.REPLACED, "job-5", order_id="o-2"),
    ]
    assert ended_orders(events) == [
        EndedOrder("o-1", "reg", "job-3", AT + 2 * SECOND),
        EndedOrder("o-2", "reg", "job-5", AT),
    ]


def test_of_replacements_at_the_same_instant_the_later_one_counts() -> None:
    events = [event(EventType.REPLACED, "job-1"), event(EventType.REPLACED, "job-2")]
    assert [it.job_id for it in ended_orders(events)] == ["job-2"]


@pytest.mark.parametrize("deleted_last", [True, False])
def test_a_deletion_ends_more_than_a_replacement(*, deleted_last: bool) -> None:
    events = [event(EventType.REPLACED, "job-1"), event(EventType.DELETED, "job-2")]
    [ended] = ended_orders(events if deleted_last else events[::-1])
    assert (ended.job_id, ended.replaced_at) == ("job-2", None)


def test_each_registration_of_an_order_id_is_an_order_of_its_own() -> None:
    events = [event(EventType.DELETED, "job-1"), event(EventType.REPLACED, "job-3", life="reg-2")]
    assert [it.registration for it in ended_orders(events)] == ["reg", "reg-2"]


@pytest.mark.parametrize(
    ("job", "spent"),
    [
        (DATA, True),
        (replace(DATA, at=AT + SECOND), False),
        (replace(DATA, enriched=False), False),
        (replace(DATA, job_id="job-9"), False),
        (replace(DATA, registration="other"), False),
        (replace(DATA, registration=None), False),
        (replace(DATA, order_id="o-2"), False),
    ],
)
def test_a_replacement_spends_what_was_handled_and_is_no_younger(
    job: ActionData, *, spent: bool
) -> None:
    assert spent_actions([job], [REPLACED]) == (["job-1"] if spent else [])


@pytest.mark.parametrize(
    ("job", "spent"),
    [
        (replace(DATA, at=AT + SECOND, enriched=False), True),
        (replace(DATA, job_id="job-9"), False),
        (replace(DATA, registration="other"), False),
    ],
)
def test_a_deletion_spends_all_of_the_order(job: ActionData, *, spent: bool) -> None:
    assert spent_actions([job], [DELETED]) == ([job.job_id] if spent else [])
