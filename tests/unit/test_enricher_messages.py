"""What the enricher publishes: under which id, key and time, and what guards a deletion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from enricher.domain.action_ends import order_action
from enricher.domain.announced import AnnouncedEvent
from enricher.domain.contact_matching import KnownContact
from enricher.domain.decode import received_event
from enricher.domain.events import (
    deletion_command,
    healed_record,
    held_action_record,
    outgoing_records,
)
from enricher.domain.fired_action import FiredAction
from enricher.domain.model import (
    NO_EFFECT,
    ContactLink,
    DecidedEvent,
    Decision,
    HeldAction,
    OrderLifetime,
    ReceivedEvent,
)
from order_contracts.cloudevents import Headers
from order_contracts.derived_ids import action_id, event_id
from order_contracts.events import EventType, Missing
from order_contracts.order import ActionName, ActionRequest
from order_runtime.kafka.records import Outgoing
from support.builders.bodies import order_body
from support.builders.writer_fixtures import AT, WriterFixture, read_back

CONFIRM = ActionRequest(action=ActionName.CONFIRM_ORDER)
NO_CONTACT = Missing(code="ContactMissing", reference="Email")
LINK = ContactLink("o-1", "job-1", 3, "c-1", AT)
LATER = AT + timedelta(hours=1)
ENRICHED_ID = event_id("job-1", "OrderEnriched.v1")
ACTION_ID = event_id("job-1", "OrderAction.v1")


def headers(record: Outgoing) -> dict[str, str]:
    pairs: Headers = tuple((name, value or b"") for name, value in record.headers)
    return {name: value.decode() for name, value in pairs}


def decided(decision: Decision, traceparent: str | None = None) -> DecidedEvent:
    event = AnnouncedEvent("job-1", "o-1")
    return DecidedEvent(ReceivedEvent(EventType.REGISTERED, event, AT, traceparent), decision)


def action() -> FiredAction:
    order = received_event(read_back(WriterFixture("o-1").register(order_body()).event)).event.order
    assert order is not None
    return order_action("job-1", CONFIRM, order, KnownContact("c-1"))


def test_a_decision_announces_the_link_and_then_the_action() -> None:
    decision = Decision(enriched=LINK, fire=action())

    enriched, fired = outgoing_records(decided(decision, "00-trace"))

    assert (enriched.topic, fired.topic) == ("orders.enriched", "orders.actions")
    for record, kind, message_id in (
        (enriched, "OrderEnriched.v1", ENRICHED_ID),
        (fired, "OrderAction.v1", ACTION_ID),
    ):
        assert record.key == b"o-1"
        told = headers(record)
        assert (told["ce_type"], told["ce_id"]) == (kind, message_id)
        assert (told["ce_source"], told["ce_subject"]) == ("/enricher", "o-1")
        assert told["ce_time"].startswith("2025-11-28T10:00:00")
        assert told["traceparent"] == "00-trace"
    message = json.loads(fired.value or b"")
    assert (message["actionId"], message["jobId"]) == (action_id("job-1"), "job-1")
    assert json.loads(enriched.value or b"") == {
        "jobId": "job-1",
        "orderId": "o-1",
        "version": 3,
        "contactId": "c-1",
        "missing": [],
    }


def test_a_decision_without_effect_announces_nothing() -> None:
    assert list(outgoing_records(decided(NO_EFFECT))) == []


def test_a_healed_link_has_an_id_of_its_content() -> None:
    """Who saw the order without its contact takes this for news, and a repeat for a repeat."""
    links = [
        LINK,
        replace(LINK, contact_id=None),
        replace(LINK, missing=(NO_CONTACT,)),
        replace(LINK, missing=(Missing(code="ContactAmbiguous", reference="Email"),)),
        replace(LINK, missing=(Missing(code="ContactMissing", reference="CardId"),)),
        replace(LINK, job_id="job-2"),
    ]

    ids = [headers(healed_record(it, AT))["ce_id"] for it in links]

    assert len({*ids, ENRICHED_ID}) == len(links) + 1
    repeated = healed_record(LINK, LATER)
    assert headers(repeated)["ce_id"] == ids[0]
    assert headers(repeated)["ce_time"].startswith("2025-11-28T11:00:00")
    assert (repeated.topic, repeated.key) == ("orders.enriched", b"o-1")
    assert json.loads(repeated.value or b"")["contactId"] == "c-1"


def test_a_deletion_is_guarded_by_the_registration_and_by_the_contact() -> None:
    lifetime = OrderLifetime("o-1", "job-1", 3, 5)

    record = deletion_command(lifetime, LATER)

    told = headers(record)
    assert (record.topic, record.key) == ("orders.commands", b"o-1")
    assert json.loads(record.value or b"") == {"orderId": "o-1"}
    assert (told["ce_type"], told["ce_source"]) == ("DeleteOrder.v1", "/enricher")
    assert (told["ce_registration"], told["ce_contactsince"]) == ("job-1", "3")
    assert told["ce_time"].startswith("2025-11-28T11:00:00")
    assert told["ce_subject"] == "o-1"


def test_a_deletion_is_repeated_under_its_id_while_it_is_of_the_same_lifetime() -> None:
    lifetime = OrderLifetime("o-1", "job-1", 3, 5)
    others = [
        replace(lifetime, order_id="o-2"),
        replace(lifetime, registered_by="job-2"),
        replace(lifetime, contact_since=4),
    ]

    def command_id(it: OrderLifetime) -> str:
        return headers(deletion_command(it, AT))["ce_id"]

    assert command_id(replace(lifetime, contact_version=6)) == command_id(lifetime)
    assert len({command_id(it) for it in [lifetime, *others]}) == 4


def test_a_held_action_is_published_as_if_it_had_not_been_held() -> None:
    held = HeldAction("job-1", "o-1", 3, 3, CONFIRM, AT, LATER, message=b"{}")

    record = held_action_record(held)

    told = headers(record)
    assert (record.topic, record.key, record.value) == ("orders.actions", b"o-1", b"{}")
    assert (told["ce_type"], told["ce_id"]) == ("OrderAction.v1", ACTION_ID)
    assert told["ce_time"].startswith("2025-11-28T10:00:00")
