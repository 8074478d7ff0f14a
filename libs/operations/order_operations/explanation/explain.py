"""The explanation of an order, a job or a delivery, from the database alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.explanation.records import MOST, Kind, find_subject, read_records
from order_operations.explanation.standing import standing
from order_operations.explanation.timeline import Event, timeline
from order_operations.problems import OperationFailed


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened to a subject, and where it is now."""

    kind: Kind
    order_id: str | None
    events: Sequence[Event]
    cut: bool
    """Whether earlier events are left out: those of the newest MOST jobs are told."""
    now: str
    waits: bool


def explain(address: MongoAddress, id_: str) -> Explanation:
    """
    Return what happened to the order, the job or the delivery of that id.

    Raises OperationFailed where there is none, or where MongoDB doesn't answer.
    """
    with open_database(address) as database:
        subject = find_subject(database, id_)
        if subject is None:
            raise OperationFailed(
                f"There is no order, job or delivery {id_!r}. If a command was accepted for it, "
                "the order-writer has not applied it yet, which `orders lag` shows; jobs are kept "
                "for 30 days."
            )
        records = read_records(database, subject)
    now = standing(records, datetime.now(UTC))
    return Explanation(
        kind=subject.kind,
        order_id=subject.order_id,
        events=timeline(records),
        cut=len(records.jobs) == MOST,
        now=now.sentence,
        waits=now.waits,
    )
