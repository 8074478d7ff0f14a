"""Which orders an erasure covers: by link, by key, and by the times of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from enricher.adapters.batch_snapshot import stored_order_of
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.erasure import (
    ContactKeyClaim,
    DeletedContact,
    contact_key_of,
    covered_lifetimes,
    lifetime_of,
    lifetimes_of,
)
from enricher.domain.linking import ReferenceFacts
from enricher.domain.model import ContactLink
from order_runtime.documents.erasures import Erasure
from support.builders.bodies import order_body
from support.builders.writer_fixtures import AT, WriterFixture

KEYS = ContactKeys(b"secret")
NOBODY = ReferenceFacts({}, frozenset(), frozenset(), KEYS)
SOMEBODY = replace(NOBODY, contacts={"ExternalId:12433": [KnownContact("c-2")]})
STORED = replace(
    stored_order_of(
        WriterFixture("o-1")
        .register(order_body(contact={"matchKey": "12433", "matchKeyType": "ExternalId"}))
        .order
    ),
    registered_at=AT,
    contact_since_at=AT,
)
LINK = ContactLink("o-1", "job", STORED.contact_version, "c-1", AT)
WAITING = replace(LINK, contact_id=None)
LATER, EARLIER = AT + timedelta(milliseconds=1), AT - timedelta(milliseconds=1)
DELETED = DeletedContact("c-1", frozenset({"ContactId:c-1", "ExternalId:12433"}), LATER)


@pytest.mark.parametrize(
    ("link", "facts", "key"),
    [
        pytest.param(LINK, SOMEBODY, "ContactId:c-1", id="linked"),
        pytest.param(WAITING, SOMEBODY, "ContactId:c-2", id="would-be-linked"),
        pytest.param(WAITING, NOBODY, "ExternalId:12433", id="waiting"),
        pytest.param(None, NOBODY, "ExternalId:12433", id="not-handled"),
        pytest.param(replace(LINK, contact_version=9), NOBODY, "ExternalId:12433", id="old-link"),
    ],
)
def test_an_order_belongs_to_its_contact_else_to_the_key_it_waits_for(
    link: ContactLink | None, facts: ReferenceFacts, key: str
) -> None:
    assert contact_key_of(STORED, link, facts) == key


@pytest.mark.parametrize(
    ("at", "seen", "covered"),
    [
        (AT, AT, True),
        (EARLIER, LATER, False),
        (LATER, EARLIER, False),
        (LATER, LATER, True),
    ],
)
def test_an_erasure_covers_orders_that_named_the_contact_before_it(
    at: datetime, seen: datetime, covered: bool
) -> None:
    claim = ContactKeyClaim(lifetime_of("o-1", STORED), "hash", STORED)

    found = covered_lifetimes([claim], {"hash": Erasure(at, seen)})

    assert found == ({claim.lifetime: at} if covered else {})
    assert covered_lifetimes([claim], {"another": Erasure(at, seen)}) == {}


@pytest.mark.parametrize(
    ("link", "facts", "erased"),
    [
        pytest.param(LINK, NOBODY, True, id="linked"),
        pytest.param(WAITING, NOBODY, True, id="waiting"),
        pytest.param(WAITING, SOMEBODY, False, id="of-another-contact-by-now"),
        pytest.param(replace(LINK, contact_id="c-3"), NOBODY, False, id="linked-to-another"),
        pytest.param(replace(LINK, contact_version=9), NOBODY, False, id="old-link"),
        pytest.param(None, NOBODY, False, id="no-link"),
    ],
)
def test_the_orders_of_a_deleted_contact_are_those_with_a_current_link(
    link: ContactLink | None, facts: ReferenceFacts, erased: bool
) -> None:
    """An order without one is found when its event is handled."""
    erasure, links = Erasure(LATER, LATER), {"o-1": link} if link else {}

    found = lifetimes_of(DELETED, erasure, {"o-1": STORED}, links, facts)

    assert found == ({lifetime_of("o-1", STORED): LATER} if erased else {})


def test_an_order_that_was_registered_after_the_erasure_is_kept() -> None:
    erasure = Erasure(EARLIER, LATER)

    assert lifetimes_of(DELETED, erasure, {"o-1": STORED}, {"o-1": LINK}, NOBODY) == {}
