"""What the integration log says of a job, among the job's warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.adapters.job_warnings import warnings_by_job
from order_contracts.integration_log import DropReason, drop_entry, log_entry
from order_runtime.documents.document import Document
from order_runtime.documents.integration_log import log_document

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)


def stored(code: str, job_id: str = "job-1", reference: str | None = None) -> Document:
    return log_document(log_entry(code, job_id=job_id, order_id="o-1", at=AT, reference=reference))


def test_the_entries_of_a_job_are_its_warnings_what_stands_for_others_the_last() -> None:
    more = log_entry("ArticleMissing", job_id="job-1", order_id="o-1", at=AT, more=7)
    entries = [
        stored("StoreMissing", reference="shop"),
        log_document(more),
        stored("ArticleMissing", reference="mug"),
        stored("ArticleMissing", "job-2", "cup"),
    ]

    found = warnings_by_job(entries)

    assert [(it.code, it.reference) for it in found["job-1"]] == [
        ("ArticleMissing", "mug"),
        ("ArticleMissing", None),
        ("StoreMissing", "shop"),
    ]
    assert found["job-1"][1].message.endswith("and 7 more.")
    assert [it.at for it in found["job-2"]] == [AT]


def test_what_the_job_says_itself_and_what_was_resolved_is_no_further_warning() -> None:
    """A contact that is missing is an error of the job."""
    codes = ("ContactMissing", "TotalsMismatch", "Misrouted", "ActionFailed", "CommandRejected")
    resolved = stored("ArticleMissing", reference="mug") | {"resolvedAt": AT + timedelta(days=1)}

    assert warnings_by_job([*map(stored, codes), resolved]) == {}


def test_an_action_that_was_dropped_says_why_and_when() -> None:
    reason = DropReason.ORDER_CANCELLED
    entry = drop_entry(reason, job_id="job-1", order_id="o-1", at=AT)

    (warning,) = warnings_by_job([log_document(entry)])["job-1"]

    assert (warning.code, warning.reason, warning.at) == ("ActionDropped", reason, AT)
    assert warning.message == (
        "The order's action was dropped: the order was cancelled before its contact was found."
    )
    assert warning.model_dump(mode="json")["reason"] == "orderCancelled"


def test_the_reason_does_not_make_another_entry() -> None:
    """Of two workers that dropped it for different reasons the first one's entry stays."""
    entries = [drop_entry(it, job_id="job-1", order_id="o-1", at=AT) for it in DropReason]

    assert len({it.id for it in entries}) == 1
    assert len({it.message for it in entries}) == len(DropReason)


def test_an_entry_that_cannot_be_read_costs_itself_alone() -> None:
    bad = stored("ArticleMissing", reference="cup") | {"message": 7}

    found = warnings_by_job([bad, stored("ArticleMissing", reference="mug")])

    assert [it.reference for it in found["job-1"]] == ["mug"]
