"""A job's status is one pure function of its stages, and its stages of what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from order_contracts.derived_ids import version_tag
from order_contracts.errors import failure
from order_contracts.job import (
    Action,
    Enrichment,
    JobStatus,
    JobWarning,
    Operation,
    Stages,
    Storage,
    status_of,
)
from order_contracts.order import ActionName, ActionRequest
from order_runtime.documents.deliveries import RETENTION as DELIVERIES_KEPT
from order_runtime.documents.job_updates import AGREEMENTS_KEPT, ENRICHMENTS_KEPT
from order_runtime.documents.jobs import (
    RETENTION,
    LedgerEntry,
    StoredJob,
    accepted_job,
    awaits_enrichment,
    entry_document,
    entry_of,
    job_of,
    stages_of,
    status_of_stored,
)

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
HREF = "https://orders.example.com/api/v3/orders/jobs/job-1"
ASKED = ActionRequest(action=ActionName.CUSTOM, data={"$x": {"a.b": None}})
ALL = [
    (Stages(storage=storage, enrichment=enrichment, action=action), operation)
    for storage, enrichment, action, operation in product(Storage, Enrichment, Action, Operation)
]


def entry(operation: Operation = Operation.REGISTER, **fields: Any) -> LedgerEntry:
    known: dict[str, Any] = {"version": 1} | fields
    return LedgerEntry("job-1", "o-1", operation, fingerprint="f", at=AT, **known)


def stages(of: LedgerEntry, **written: Any) -> tuple[str, str, str]:
    """Return the stages of a job on which others have `written`, as earlier releases did."""
    found = stages_of(entry_document(of) | written)
    return (found.storage, found.enrichment, found.action)


def joined(of: LedgerEntry, *others: Any, **written: Any) -> tuple[str, str, str]:
    """Return the stages of a job that other collections have something of."""
    found = stages_of(entry_document(of) | written, *others)
    return (found.storage, found.enrichment, found.action)


def test_the_table_is_whole() -> None:
    assert len(ALL) == 3 * 5 * 7 * 7


@pytest.mark.parametrize("storage", Storage)
def test_until_it_is_stored_only_storage_counts(storage: Storage) -> None:
    statuses = {status_of(s, o) for s, o in ALL if s.storage is storage}
    if storage is Storage.PENDING:
        assert statuses == {JobStatus.ACCEPTED}
    elif storage is Storage.FAILED:
        assert statuses == {JobStatus.FAILED}
    else:
        assert statuses == {
            JobStatus.COMPLETED,
            JobStatus.COMPLETED_WITH_ERRORS,
            JobStatus.FAILED,
        }


def test_a_missing_contact_fails_an_action_and_marks_anything_else() -> None:
    for found, operation in ALL:
        if (found.storage, found.enrichment) == (Storage.DONE, Enrichment.CONTACT_MISSING):
            failed = operation is Operation.ACTION
            wanted = JobStatus.FAILED if failed else JobStatus.COMPLETED_WITH_ERRORS
            assert status_of(found, operation) is wanted


def test_any_other_stored_command_is_completed_whatever_became_of_its_action() -> None:
    for found, operation in ALL:
        stored = found.storage is Storage.DONE
        if stored and found.enrichment is not Enrichment.CONTACT_MISSING:
            assert status_of(found, operation) is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("operation", "enrichment"),
    [
        (Operation.REGISTER, "pending"),
        (Operation.REPLACE, "pending"),
        (Operation.DELETE, "skipped"),
        (Operation.CHANGE_STATUS, "skipped"),
        (Operation.CHANGE_DELIVERY, "skipped"),
    ],
)
def test_what_was_just_stored_waits_for_its_contact_where_it_names_one(
    operation: Operation, enrichment: str
) -> None:
    assert stages(entry(operation)) == ("done", enrichment, "none")


@pytest.mark.parametrize("operation", [Operation.ACTION, Operation.CHANGE_STATUS])
def test_an_action_waits_for_the_contact_too(operation: Operation) -> None:
    assert stages(entry(operation, version=None, action=ASKED)) == ("done", "pending", "pending")


def test_a_stale_replacement_waits_for_nothing() -> None:
    """It made no version, so no enrichment will ever come for it."""
    stale = entry(Operation.REPLACE, version=None)
    assert stages(stale) == ("done", "skipped", "none")


def test_a_failed_job_waits_for_nothing() -> None:
    failed = entry(version=None, failure=failure("OrderExists", "It exists."))
    assert stages(failed) == ("failed", "skipped", "none")


def test_each_service_tells_its_own_stage() -> None:
    asked = entry(action=ASKED)
    missing = {"state": "contactMissing", "action": "held", "at": AT}
    done = {"state": "done", "action": "fired", "at": AT}
    assert stages(asked, enrichment=missing) == ("done", "contactMissing", "held")
    assert stages(asked, enrichment=done) == ("done", "done", "fired")
    delivered = {"state": "delivered", "at": AT}
    assert stages(asked, enrichment=done, delivery=delivered) == ("done", "done", "delivered")


def test_what_other_collections_have_of_a_job_counts_before_what_is_inside() -> None:
    asked, done = entry(action=ASKED), {"state": "done", "action": "fired", "at": AT}
    inside: dict[str, Any] = {
        "enrichment": {"state": "contactMissing", "action": "held", "at": AT},
        "delivery": {"state": "failed", "at": AT},
    }
    new, sent = {"state": "pending"}, {"state": "delivered", "since": AT}
    assert joined(asked, done, None) == ("done", "done", "fired")
    assert joined(asked, done, new) == ("done", "done", "fired")
    assert joined(asked, done, sent) == ("done", "done", "delivered")
    assert joined(asked, None, sent) == ("done", "pending", "delivered")
    assert joined(asked, done, sent, **inside) == ("done", "done", "delivered")
    assert joined(asked, done, None, **inside) == ("done", "done", "failed")
    assert joined(asked, None, None, **inside) == ("done", "contactMissing", "failed")


def test_a_delivery_that_is_replayed_makes_its_action_pending_again() -> None:
    asked, done = entry(action=ASKED), {"state": "done", "action": "fired", "at": AT}
    again = {"state": "pending", "since": AT + DAY, "round": 1}
    assert joined(asked, done, again) == ("done", "done", "pending")
    stored = StoredJob(entry_document(asked), done, again)
    assert job_of(stored, created_at=AT, href=HREF, order_href=None).updated_at == AT + DAY


def test_a_job_was_changed_when_its_enrichment_or_its_delivery_was() -> None:
    stored = StoredJob(
        entry_document(entry(action=ASKED)),
        {"state": "done", "action": "fired", "at": AT + 2 * DAY},
        {"state": "delivered", "since": AT + DAY},
    )
    assert job_of(stored, created_at=AT, href=HREF, order_href=None).updated_at == AT + 2 * DAY


def test_the_jobs_to_be_enriched_are_those_whose_stage_is_pending_at_first() -> None:
    for operation, version, action in product(Operation, (1, None), (ASKED, None)):
        for failed in (None, failure("OrderExists", "It exists.")):
            of = entry(operation, version=version, action=action, failure=failed)
            pending = stages(of)[1] == "pending"
            assert awaits_enrichment(entry_document(of)) is pending


def test_the_status_of_a_stored_job_is_that_of_its_stages() -> None:
    missing = {"state": "contactMissing", "at": AT}
    for operation, enrichment in product(Operation, (None, missing)):
        document = entry_document(entry(operation))
        status = status_of(stages_of(document, enrichment), operation)
        assert status_of_stored(StoredJob(document, enrichment)) is status


def test_what_is_read_together_with_a_job_outlives_it() -> None:
    assert DELIVERIES_KEPT > RETENTION
    assert AGREEMENTS_KEPT > ENRICHMENTS_KEPT > RETENTION


def test_an_entry_of_the_ledger_is_given_back_as_it_was() -> None:
    """The action too: an event that is announced again carries it again."""
    warned = entry(action=ASKED, warnings=(JobWarning(code="StaleChange", message="Old."),))
    failed = entry(version=None, failure=failure("TooLarge", "Too large."), decoded=False)
    for each in (warned, failed, entry(Operation.UNKNOWN, version=None)):
        assert entry_of(entry_document(each)) == each


def test_a_job_is_answered_with_all_that_is_known() -> None:
    document = entry_document(entry()) | {"enrichment": {"state": "done", "at": AT + DAY}}
    job = job_of(StoredJob(document), created_at=AT - DAY, href=HREF, order_href="https://o")
    assert (job.status, job.operation, job.version_tag) == (
        "Completed",
        "RegisterOrder",
        version_tag("job-1"),
    )
    assert (job.created_at, job.updated_at, job.expires_at) == (AT - DAY, AT + DAY, AT + 29 * DAY)
    assert job.order is not None
    assert job.order.href == "https://o"


def test_a_job_whose_contact_is_missing_says_so() -> None:
    document = entry_document(entry()) | {"enrichment": {"state": "contactMissing", "at": AT}}
    job = job_of(StoredJob(document), created_at=AT, href=HREF, order_href=None)
    assert job.status == "CompletedWithErrors"
    assert [error.code for error in job.errors or ()] == ["ContactMissing"]
    assert job.order is None


def test_a_job_warns_of_what_its_order_lacks_and_of_an_action_that_is_not_sent() -> None:
    own = JobWarning(code="TotalsMismatch", message="They don't add up.")
    logged = JobWarning(code="ArticleMissing", message="Not known.", reference="mug", at=AT)
    document = entry_document(entry(action=ASKED, warnings=(own,)))
    fired = {"state": "done", "action": "fired", "at": AT}
    erased = {"state": "dropped", "since": AT + DAY}
    of = StoredJob(document, fired, erased, (logged,))

    job = job_of(of, created_at=AT, href=HREF, order_href=None)

    assert (job.status, job.warnings and job.warnings[:2]) == ("Completed", (own, logged))
    assert [(it.code, it.reason, it.at) for it in (job.warnings or ())[2:]] == [
        ("ActionDropped", "contactErased", AT + DAY)
    ]


def test_a_job_that_failed_has_no_version() -> None:
    document = entry_document(entry(version=None, failure=failure("OrderExists", "It exists.")))
    job = job_of(StoredJob(document), created_at=AT, href=HREF, order_href=None)
    assert (job.status, job.version_tag) == ("Failed", None)
    assert [error.status for error in job.errors or ()] == [409]


def test_before_it_is_applied_only_so_much_is_known() -> None:
    job = accepted_job("job-1", created_at=AT, href=HREF)
    fields = {name for name, value in job if value is not None}
    assert fields == {"job_id", "status", "created_at", "expires_at", "href"}


DAY = timedelta(days=1)
