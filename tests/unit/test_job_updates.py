"""What is written about a job after its insertion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_runtime.documents import job_updates
from order_runtime.documents.job_updates import IN_JOB, NewAgreement, NewEnrichment

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
NOW = AT + timedelta(minutes=1)
DAY = timedelta(days=1)


def test_an_agreement_names_its_contact_by_a_hash_and_only_where_it_is_fired() -> None:
    fired = job_updates.agreement_document(NewAgreement("job-1", Action.FIRED, "f00d", None, AT))
    assert fired == {"_id": "job-1", "end": "fired", "contact": "f00d", "expireAt": AT + 33 * DAY}
    held = job_updates.agreement_document(NewAgreement("job-1", Action.HELD, None, None, AT))
    assert held == {"_id": "job-1", "end": "held", "expireAt": AT + 33 * DAY}


def test_an_agreement_to_drop_says_why() -> None:
    reason = DropReason.ORDER_DELETED
    new = NewAgreement("job-1", Action.DROPPED, None, reason, AT)
    assert job_updates.agreement_document(new)["reason"] == "orderDeleted"


def test_an_enrichment_says_what_was_found_when_and_of_which_version() -> None:
    new = NewEnrichment("job-1", "o-1", 7, Enrichment.DONE, Action.FIRED, AT)
    assert job_updates.enrichment_document(new, NOW) == {
        "_id": "job-1",
        "orderId": "o-1",
        "version": 7,
        "state": "done",
        "action": "fired",
        "acceptedAt": AT,
        "at": NOW,
        "expireAt": AT + 31 * DAY,
    }


def test_an_enrichment_without_a_contact_says_whether_its_job_fails_by_that() -> None:
    """An action by a command of its own makes no version, and fails."""
    embedded = NewEnrichment("job-1", "o-1", 7, Enrichment.CONTACT_MISSING, None, AT)
    asked = embedded._replace(version=None, action=Action.DROPPED)
    assert job_updates.enrichment_document(embedded, NOW)["fails"] is False
    document = job_updates.enrichment_document(asked, NOW)
    assert (document["fails"], document["action"], "version" in document) == (
        True,
        "dropped",
        False,
    )


def test_a_held_action_ends_once_wherever_the_job_has_it() -> None:
    at_rest = job_updates.end_held_action("job-1", Action.FIRED, NOW)
    assert at_rest == ({"_id": "job-1", "action": "held"}, {"$set": {"action": "fired", "at": NOW}})
    inside = job_updates.end_held_action("job-1", Action.DROPPED, NOW, IN_JOB)
    assert inside.filter == {"_id": "job-1", "enrichment.action": "held"}
    assert inside.change == {"$set": {"enrichment.action": "dropped", "enrichment.at": NOW}}


def test_a_contact_is_found_for_the_versions_that_lacked_it() -> None:
    at_rest = job_updates.set_contact_found("o-1", (3, 5), NOW)
    lacking = {"orderId": "o-1", "version": {"$gte": 3, "$lte": 5}}
    assert at_rest.filter == {**lacking, "state": "contactMissing"}
    assert at_rest.change == {"$set": {"state": "done", "at": NOW}}
    inside = job_updates.set_contact_found("o-1", (3, 5), NOW, IN_JOB)
    assert inside.filter == {**lacking, "enrichment.state": "contactMissing"}
    assert inside.change == {"$set": {"enrichment.state": "done", "enrichment.at": NOW}}


def test_nothing_of_an_action_but_its_name_is_left() -> None:
    spent = job_updates.forget_action_data(["job-1", "job-2"])
    assert spent.filter == {"_id": {"$in": ["job-1", "job-2"]}}
    assert spent.change == {"$unset": {"action.language": "", "action.data": ""}}
