"""What the link of an order says: the contact that counts, and whether an action can be sent."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.order_contact import (
    ActionPreconditions,
    action_preconditions,
    linked_contact,
)

ORDER = {"_id": "o-1", "jobId": "job-7", "contactSince": 3, "contactVersion": 5}


def link(version: int, contact_id: str | None = "c-1") -> dict[str, Any]:
    found = {"_id": "o-1", "contactVersion": version}
    return found | {"contactId": contact_id} if contact_id else found


@pytest.mark.parametrize("version", [3, 4, 5])
def test_a_link_counts_from_the_version_that_named_its_contact(version: int) -> None:
    assert linked_contact(ORDER, link(version)) == "c-1"


@pytest.mark.parametrize("version", [2, 6])
def test_a_link_of_another_contact_does_not_count(version: int) -> None:
    assert linked_contact(ORDER, link(version)) is None


def test_an_order_without_a_link_or_a_contact_has_none() -> None:
    assert linked_contact(ORDER, None) is None
    assert linked_contact(ORDER, link(5, None)) is None


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (None, False),
        (link(5), False),
        (link(5, None), True),
        (link(4, None), False),  # enrichment of version 5 is pending
    ],
)
def test_a_contact_is_missing_where_enrichment_of_this_version_found_none(
    found: dict[str, Any] | None, *, missing: bool
) -> None:
    assert action_preconditions(ORDER, found) == ActionPreconditions("job-7", missing)


def test_a_deleted_order_has_no_preconditions() -> None:
    assert action_preconditions(ORDER | {"deletedAt": "now"}, link(5)) is None
