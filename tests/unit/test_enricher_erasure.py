"""Which orders an erasure covers: by link, by key, by who else carries that, and by the times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from enricher.adapters.batch_snapshot import stored_order_of
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.decode import received_event
from enricher.domain.erasure import (
    ContactClaim,
    contact_claims,
    covered_lifetimes,
    covering_erasure,
    erased_orders,
    erasure_outlived,
    lifetime_of,
    lifetimes_of,
)
from enricher.domain.linking import ReferenceFacts, healed_link, new_link
from enricher.domain.model import ContactLink, StoredOrder
from order_contracts.events import Missing
from order_runtime.documents.erasures import Erasure
from support.builders.bodies import order_body
from support.builders.writer_fixtures import AT, WriterFixture, read_back

KEYS = ContactKeys(b"secret")
KEY, ID = "ExternalId:12433", "ContactId:c-1"
LATER, EARLIER = AT + timedelta(milliseconds=1), AT - timedelta(milliseconds=1)
ERASURE = Erasure(LATER, LATER)
C2, C3 = KnownContact("c-2"), KnownContact("c-3")
NOBODY = ReferenceFacts({}, frozenset(), frozenset(), KEYS)
GONE = replace(NOBODY, erasures={KEY: ERASURE, ID: ERASURE})
ONE_LIVES = replace(GONE, contacts={KEY: [C2]})
TWO_LIVE = replace(GONE, contacts={KEY: [C2, C3]})
OTHER_TYPE = replace(GONE, contacts={KEY: [replace(C2, contact_type="Company")]})
WRITTEN = WriterFixture("o-1").register(
    order_body("o-1", contact={"matchKey": "12433", "matchKeyType": "ExternalId"})
)
STORED = replace(stored_order_of(WRITTEN.order), registered_at=AT, contact_since_at=AT)
LINK = ContactLink("o-1", "job", STORED.contact_version, "c-1", AT)
WAITING = replace(
    LINK,
    contact_id=None,
    missing=(Missing(code="ContactAmbiguous", reference="ExternalId"),),
    waits_for=(KEY,),
)
REPLACED = replace(STORED, version=5, contact_version=5)
"""Replaced for the same contact since its link was made."""


@pytest.mark.parametrize(
    ("link", "facts", "erased"),
    [
        pytest.param(LINK, GONE, True, id="linked"),
        pytest.param(LINK, TWO_LIVE, True, id="linked-though-others-carry-the-key"),
        pytest.param(WAITING, GONE, True, id="waiting-for-nobody"),
        pytest.param(None, GONE, True, id="in-flight-for-nobody"),
        pytest.param(WAITING, TWO_LIVE, False, id="waiting-for-one-of-two"),
        pytest.param(WAITING, OTHER_TYPE, False, id="waiting-though-a-living-one-carries-it"),
        pytest.param(WAITING, ONE_LIVES, False, id="the-living-ones-by-now"),
        pytest.param(None, TWO_LIVE, False, id="in-flight-for-one-of-two"),
        pytest.param(None, ONE_LIVES, False, id="in-flight-for-the-living-one"),
        pytest.param(replace(LINK, contact_id="c-3"), GONE, False, id="linked-to-a-living-one"),
        pytest.param(WAITING, NOBODY, False, id="no-erasure"),
    ],
)
def test_an_erasure_takes_its_contacts_orders_and_those_that_wait_for_a_key_of_nobodys(
    link: ContactLink | None, facts: ReferenceFacts, *, erased: bool
) -> None:
    assert covering_erasure(STORED, link, facts) == (ERASURE if erased else None)


@pytest.mark.parametrize(("registered", "named"), [(LATER, AT), (AT, LATER)])
def test_what_came_after_an_erasure_is_a_new_relation(
    registered: datetime, named: datetime
) -> None:
    facts = replace(GONE, erasures=dict.fromkeys([KEY, ID], Erasure(AT, AT)))
    late = replace(STORED, registered_at=registered, contact_since_at=named)

    for link in (LINK, WAITING, None):
        assert covering_erasure(STORED, link, facts) is not None
        assert covering_erasure(late, link, facts) is None


def test_an_order_that_is_replaced_for_the_same_contact_stays_that_ones() -> None:
    """Its event is in flight: the link names the erased contact, the key fits a living one."""
    assert covering_erasure(REPLACED, LINK, ONE_LIVES) == ERASURE
    for_another = replace(REPLACED, contact_since=5)
    assert covering_erasure(for_another, LINK, ONE_LIVES) is None


def test_an_order_of_a_contact_that_came_back_is_taken_as_before() -> None:
    back = replace(GONE, contacts={KEY: [KnownContact("c-1")]})

    assert covering_erasure(STORED, WAITING, back) == ERASURE
    assert erased_orders({"o-1": STORED}, {}, back) == {lifetime_of("o-1", STORED): LATER}


@pytest.mark.parametrize(
    ("link", "facts", "key"),
    [
        (WAITING, TWO_LIVE, KEY),
        (WAITING, OTHER_TYPE, KEY),
        (None, TWO_LIVE, KEY),
        (WAITING, GONE, None),
        (LINK, TWO_LIVE, None),
        (WAITING, replace(TWO_LIVE, erasures={}), None),
        (WAITING, replace(TWO_LIVE, erasures={KEY: Erasure(EARLIER, LATER)}), None),
    ],
)
def test_an_erasure_is_outlived_where_a_living_contact_carries_the_key(
    link: ContactLink | None, facts: ReferenceFacts, key: str | None
) -> None:
    assert erasure_outlived(STORED, link, facts) == key


def test_an_order_claims_the_contact_that_it_has_and_the_one_that_it_would_get() -> None:
    def ids(
        link: ContactLink | None, facts: ReferenceFacts, stored: StoredOrder = STORED
    ) -> list[str]:
        return [
            it.contact_id
            for it in contact_claims({"o-1": stored}, {"o-1": link} if link else {}, facts)
        ]

    assert ids(LINK, ONE_LIVES) == ["c-1"]
    assert ids(WAITING, ONE_LIVES) == ids(None, ONE_LIVES) == ["c-2"]
    assert ids(LINK, ONE_LIVES, REPLACED) == ["c-1", "c-2"]
    assert ids(replace(LINK, contact_version=9), NOBODY) == ids(WAITING, TWO_LIVE) == []


@pytest.mark.parametrize(
    ("at", "seen", "covered"),
    [(AT, AT, True), (EARLIER, LATER, False), (LATER, EARLIER, False), (LATER, LATER, True)],
)
def test_an_erasure_covers_orders_that_named_the_contact_before_it(
    at: datetime, seen: datetime, *, covered: bool
) -> None:
    claim, erasure = ContactClaim(lifetime_of("o-1", STORED), "c-1", STORED), Erasure(at, seen)

    assert covered_lifetimes([claim], {ID: erasure}) == ({claim.lifetime: at} if covered else {})
    assert covered_lifetimes([claim], {"another": erasure}) == {}
    linked = lifetimes_of("c-1", erasure, {"o-1": STORED}, {"o-1": LINK})
    assert linked == ({claim.lifetime: at} if covered else {})


@pytest.mark.parametrize(
    ("link", "erased"),
    [
        pytest.param(LINK, True, id="linked"),
        pytest.param(replace(LINK, contact_id="c-3"), False, id="linked-to-another"),
        pytest.param(WAITING, False, id="waiting"),
        pytest.param(replace(LINK, contact_version=9), False, id="newer-link"),
        pytest.param(None, False, id="no-link"),
    ],
)
def test_the_orders_of_a_deleted_contact_are_those_linked_to_it(
    link: ContactLink | None, *, erased: bool
) -> None:
    found = lifetimes_of("c-1", ERASURE, {"o-1": STORED}, {"o-1": link} if link else {})

    assert found == ({lifetime_of("o-1", STORED): LATER} if erased else {})


@pytest.mark.parametrize(
    ("facts", "until"),
    [
        pytest.param(ONE_LIVES, LATER, id="an-erased-one-had-the-key"),
        pytest.param(replace(ONE_LIVES, erasures={}), None, id="nobody-was-erased"),
        pytest.param(replace(ONE_LIVES, erasures={KEY: Erasure(EARLIER, LATER)}), None, id="newer"),
        pytest.param(TWO_LIVE, None, id="it-waits-on"),
    ],
)
def test_an_order_that_goes_to_a_living_contact_withholds_what_was_asked_before(
    facts: ReferenceFacts, until: datetime | None
) -> None:
    order = received_event(read_back(WRITTEN.event)).event.order
    assert order is not None

    healed, made = healed_link(WAITING, STORED, facts), new_link(order, "job", STORED, None, facts)

    assert healed.withheld_until == made.withheld_until == until
    assert healed.withholds(LATER) is (until is not None)
    assert not healed.withholds(LATER + timedelta(milliseconds=1))


def test_a_link_to_the_same_contact_withholds_what_the_one_before_it_did() -> None:
    """That the order was this contact's before the erasure is certain."""
    order = received_event(read_back(WRITTEN.event)).event.order
    assert order is not None
    before = replace(LINK, contact_id="c-2")

    for earlier in (before, replace(before, withheld_until=EARLIER)):
        again = new_link(order, "job", REPLACED, earlier, ONE_LIVES)
        assert again.withheld_until == earlier.withheld_until
    other = new_link(order, "job", REPLACED, replace(before, contact_id="c-3"), ONE_LIVES)
    assert other.withheld_until == LATER
