"""What is said of the orders and records that fail by themselves, and are passed over."""

from __future__ import annotations

from collections.abc import Iterable

from enricher import metrics
from enricher.domain.decode import UnreadableEvent
from enricher.log_events import ORDER_NOT_ERASED, ORDER_PASSED_OVER
from order_contracts.trace_context import traceparent_in
from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.dead_letters import is_given_up
from order_runtime.kafka.records import Record
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER, RECORD_SET_ASIDE
from order_runtime.process.logs import error_fields, log, trace_fields
from order_runtime.process.unreadable import report


def report_orders(failed: Iterable[tuple[str, Exception]]) -> None:
    """
    Log and count orders that were not reconciled, each with its error.

    The sweep meets them every minute: a document that can't be read is logged once.
    """
    for order_id, error in failed:
        metrics.PASSED_OVER.inc()
        if isinstance(error, UnreadableStored):
            report(error)
        else:
            log().error(ORDER_PASSED_OVER, order=order_id, **error_fields(error))


def report_unerased(failed: Iterable[tuple[str, Exception]]) -> None:
    """Log and count orders that were not deleted with their contact: each time, for an operator."""
    for order_id, error in failed:
        metrics.PASSED_OVER.inc()
        if isinstance(error, UnreadableStored):
            report(error)
        log().error(ORDER_NOT_ERASED, order=order_id, **error_fields(error))


def report_record(record: Record, error: Exception) -> None:
    """Log and count a record that can't be handled, and whether it becomes a dead letter."""
    metrics.UNREADABLE.labels(record.topic).inc()
    where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    where |= trace_fields(traceparent_in(record.headers))
    if isinstance(error, UnreadableStored):
        report(error)
    if is_given_up(record):
        log().warning(NO_FURTHER_DEAD_LETTER, **where)
    else:
        log().warning(RECORD_SET_ASIDE, **where, **error_fields(error))


def reason_of(error: Exception) -> str:
    """Return a sentence about *error* without anything of what it is about."""
    if isinstance(error, UnreadableEvent | UnreadableStored):
        return str(error)
    return f"It can't be handled, for a reason nobody knows ({type(error).__name__})"
