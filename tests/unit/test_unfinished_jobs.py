"""Which jobs lack what should have followed from them, as after the loss of a topic."""

from __future__ import annotations

import pytest

from order_operations.jobs.unfinished import Lack, lack_of
from order_runtime.documents.document import Document

REGISTERED: Document = {"_id": "job-1", "operation": "RegisterOrder", "version": 7}
ACTING: Document = {**REGISTERED, "action": {"action": "ConfirmOrder"}}
FIRED: Document = {"state": "done", "action": "fired"}


def lack(job: Document, enrichment: Document | None, *, has_delivery: bool = False) -> Lack | None:
    return lack_of(job, enrichment, has_delivery=has_delivery)


def test_a_job_whose_event_was_lost_lacks_its_enrichment() -> None:
    assert lack(REGISTERED, None) is Lack.ENRICHMENT
    assert lack(ACTING, None) is Lack.ENRICHMENT
    assert lack(REGISTERED, {"state": "done"}) is None


def test_a_job_whose_action_was_lost_lacks_its_delivery() -> None:
    assert lack(ACTING, FIRED) is Lack.DELIVERY
    assert lack(ACTING, FIRED, has_delivery=True) is None
    assert lack({**ACTING, "enrichment": FIRED}, None) is Lack.DELIVERY
    assert lack({**ACTING, "enrichment": FIRED, "delivery": {"state": "delivered"}}, None) is None


@pytest.mark.parametrize("end", ["held", "dropped", None])
def test_what_was_not_fired_has_no_delivery(end: str | None) -> None:
    assert lack(ACTING, {"state": "contactMissing", "action": end}) is None


def test_jobs_from_which_nothing_follows_lack_nothing() -> None:
    failed = {**ACTING, "failure": {"code": "OrderExists"}}
    alias = {**ACTING, "aliasOf": "job-0"}
    deleted = {"_id": "job-1", "operation": "DeleteOrder", "version": 8}

    assert [lack(it, None) for it in (failed, alias, deleted)] == [None] * 3
