"""A faultless history breaks no law; each change in it breaks one law, which is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.builders.bodies import Json, contact_body, line, matching, order_body
from support.builders.raw_records import COMMANDS_TOPIC
from support.history.history import History, ReceivedWebhook
from support.history.journal import (
    PUBLICATION_ID_HEADER,
    RESTORE,
    UPGRADE,
    InjectedFault,
    Publication,
    RecordedCall,
)
from support.history.log_record import LogRecord
from support.laws import erasure
from support.laws.all_laws import LAWS, check, report
from support.laws.evidence import Evidence, survivor_id
from support.laws.faultless_history import FaultlessHistory
from support.load.command_encoders import raw_record_of
from support.model.log_reader import derived_id
from support.model.model import ACTION, DELETE, REGISTER, REPLACE, STATUS, ModelCommand, tag_of

ANN, BOB = contact_body("ann"), contact_body("bob")
NOW = 1_764_400_000_000  # milliseconds; after what the orders say of themselves
CONTACTS = "reference.contacts"
TRACE = "00-{:032x}-0000000000000001-01"
ACT = {"action": "Custom", "data": {"n": 1.5}}
COMPLETED = {"status": "Completed", "lastChangedAt": "2025-11-28T10:00:00Z"}


def order_of(order_id: str, contact: Json = ANN, **deviations: Any) -> Json:
    return order_body(order_id, lines=[line(sku="mug")], contact=matching(contact), **deviations)


def command_log() -> list[LogRecord]:
    """
    Order o-1 is registered with an action, in vain once more, changed under a key, again under that
    key, deleted, registered again and acted on; o-2 belongs to nobody; o-3 is a bad record; o-4 is
    deleted because its contact is erased.
    """
    nobody = order_of("o-2", orderAction=ACT) | {"contact": {**matching(ANN), "matchKey": "nobody"}}
    commands = [
        ModelCommand(REGISTER, "o-1", "j-1", order_of("o-1", orderAction=ACT)),
        ModelCommand(REGISTER, "o-1", "j-2", order_of("o-1")),
        ModelCommand(STATUS, "o-1", "j-3", COMPLETED, key="k"),
        ModelCommand(STATUS, "o-1", "j-4", COMPLETED, key="k"),
        ModelCommand(DELETE, "o-1", "j-5"),
        ModelCommand(REGISTER, "o-1", "j-6", order_of("o-1")),
        ModelCommand(ACTION, "o-1", "j-7", {"action": "Custom", "versionTag": tag_of("j-6")}),
        ModelCommand(REGISTER, "o-2", "j-8", nobody),
        ModelCommand(STATUS, "o-3", "j-9", {"status": "Gone"}),
        ModelCommand(REGISTER, "o-4", "j-10", order_of("o-4", BOB, orderAction=ACT)),
        ModelCommand(DELETE, "o-4", "j-11", registration="j-10", contact_since=NOW + 9),
    ]
    return [log_record(command, offset) for offset, command in enumerate(commands)]


def log_record(command: ModelCommand, offset: int) -> LogRecord:
    """Return a command's record; the first two came over HTTP, the others were published."""
    raw = raw_record_of(command)
    headers = {name: str(value).encode() for name, value in raw.pairs}
    if offset < 2:
        headers |= {"ce_source": b"/gateway", "traceparent": TRACE.format(offset).encode()}
    elif command.registration is not None:
        headers |= {"ce_source": b"/enricher"}
    else:
        headers |= {PUBLICATION_ID_HEADER: f"m-{offset}".encode()}
    return LogRecord(
        COMMANDS_TOPIC,
        0,
        offset,
        NOW + offset,
        str(raw.key).encode(),
        raw.value,
        tuple(headers.items()),
    )


def post_call(
    number: int, status: int | None, response: Json, kind: str = REGISTER
) -> RecordedCall:
    trace = TRACE.format(number)
    return RecordedCall(trace, kind, ("o-1",), 0.0, "POST", "/orders", {}, None, status, response)


def faultless() -> History:
    log = command_log()
    calls = [
        post_call(0, 202, {"jobId": "j-1", "status": "Accepted"}),
        post_call(1, 409, {"code": "OrderExists", "job": {"jobId": "j-2", "errors": EXISTS}}),
        post_call(98, 409, {"code": "OrderExists", "jobId": "j-1"}),
        post_call(99, None, {}),
    ]
    publications = [
        Publication(f"m-{it.offset}", COMMANDS_TOPIC, it.key, it.value, (), 0.0, (0, it.offset))
        for it in log[2:-1]
    ]
    return FaultlessHistory(log, [ANN, BOB], ["mug"], {"bob": ERASED_AT}).history(
        calls, publications
    )


ERASED_AT = NOW + 10_000
EXISTS = [{"code": "OrderExists"}]


def test_a_good_history_breaks_no_law() -> None:
    violations = check(faultless())
    assert not violations, report(violations)


def test_a_contact_may_come_when_its_orders_are_there_already() -> None:
    late = [replace(it, at=NOW + 5_000) for it in faultless().records[CONTACTS]]
    violations = check(with_records(faultless(), CONTACTS, late))
    assert not violations, report(violations)


SHARED = {"matchKey": "both@example.com", "matchKeyType": "Email", "contactType": "Member"}
NAMESAKES = [contact_body(it, email=SHARED["matchKey"]) for it in ("cat", "dog", "eel")]


def shared_history(erased: dict[str, int], *more: ModelCommand) -> History:
    """An order with an action waits for one of three contacts with its e-mail."""
    body = order_of("o-5", orderAction=ACT) | {"contact": SHARED}
    commands = [ModelCommand(REGISTER, "o-5", "j-20", body), *more]
    log = [log_record(command, offset) for offset, command in enumerate(commands, 20)]
    return FaultlessHistory(log, NAMESAKES, ["mug"], erased).history()


DELETED = ModelCommand(DELETE, "o-5", "j-21", registration="j-20", contact_since=NOW + 20)


def erasure_laws_broken(history: History) -> set[str]:
    evidence = Evidence(history)
    laws = [it for it in LAWS if it.__module__ == erasure.__name__]
    return {law.__name__ for law in laws if any(law(evidence))}


def test_an_order_that_waits_for_a_living_namesake_breaks_no_law() -> None:
    violations = check(shared_history({"eel": ERASED_AT}))
    assert not violations, report(violations)


def test_an_order_whose_last_namesake_is_left_must_be_that_ones() -> None:
    violations = check(shared_history(dict.fromkeys(["dog", "eel"], ERASED_AT)))
    assert {it.law for it in violations} == {"the_links_are_the_models"}


def test_deleting_an_order_that_may_be_a_living_contacts_breaks_a_law() -> None:
    broken = erasure_laws_broken(shared_history({"eel": ERASED_AT}, DELETED))
    assert broken == {"only_orders_of_erased_contacts_are_deleted"}


def test_an_order_whose_namesakes_are_all_erased_must_be_gone() -> None:
    everybody = dict.fromkeys(["cat", "dog", "eel"], ERASED_AT)
    broken = erasure_laws_broken(shared_history(everybody))
    assert "no_order_of_an_erased_contact_is_left" in broken
    assert not erasure_laws_broken(shared_history(everybody, DELETED))


def test_an_action_that_was_nobodys_and_reaches_a_namesake_breaks_a_law() -> None:
    history = shared_history({"eel": ERASED_AT, "dog": ERASED_AT})

    assert erasure_laws_broken(replace(history, webhooks=[webhook_to("cat")])) == {
        "no_action_of_an_erased_contact_is_sent_later"
    }


def test_an_action_that_reaches_whom_its_order_names_by_now_breaks_no_law() -> None:
    """Its order was replaced before its event was handled, and names another by a key of theirs."""
    history = shared_history({"eel": ERASED_AT, "dog": ERASED_AT})

    assert not erasure_laws_broken(replace(history, webhooks=[webhook_to("fox")]))


def webhook_to(contact_id: str) -> ReceivedWebhook:
    body = {"data": {"contactId": contact_id}}
    return ReceivedWebhook(derived_id("action", "j-20"), 0.0, True, body)


def test_an_action_that_was_sent_is_logged_as_dropped_only_after_a_restore() -> None:
    """It was sent before; on what is restored its order was deleted before its contact came."""
    history = faultless()
    dropped = {"jobId": "j-1", "orderId": "o-1", "code": "ActionDropped"}
    log = [*history.documents["integration_log"], dropped]
    logged = replace(history, documents={**history.documents, "integration_log": log})
    restored = replace(logged, faults=[InjectedFault(RESTORE, 0.0, 1.0)])

    assert [it.law for it in check(logged)] == ["the_integration_log_says_what_is_due"]
    assert check(restored) == []


@pytest.mark.parametrize(
    ("lost", "law"),
    [
        (("jobs", "j-1"), "every_command_has_one_job"),
        (("orders", "o-2"), "every_command_is_applied_once"),
        (("links", "o-2"), "the_links_are_the_models"),
    ],
)
def test_what_a_restore_loses_is_found(lost: tuple[str, str], law: str) -> None:
    """A restore excuses nothing that the log still has."""
    restored = replace(faultless(), faults=[InjectedFault(RESTORE, 0.0, 1.0)])
    broken = {it.law for it in check(without_document(*lost)(restored))}
    assert broken == {law}


def test_a_letter_of_the_release_before_may_lack_a_document_and_no_later_one() -> None:
    undocumented = a_dead_letter_without_a_document(faultless())
    [letter] = undocumented.records["orders.commands.dlq"]

    def broken(upgraded_at: float) -> list[str]:
        upgrade = InjectedFault(f"order-writer-1 {UPGRADE}", 0.0, upgraded_at)
        return [it.law for it in check(replace(undocumented, faults=[upgrade]))]

    law = "every_dead_letter_has_a_document_that_says_nothing_of_its_value"
    assert broken(letter.at / 1_000 + 1) == []
    assert broken(letter.at / 1_000 - 1) == [law]


def merged_history(erased: dict[str, int], *more: ModelCommand) -> History:
    """An order of a contact that was merged into another, and has its tombstone by now."""
    kept, loser = contact_body("kept"), contact_body("loser", mergedInto="kept")
    commands = [ModelCommand(REGISTER, "o-5", "j-20", order_of("o-5", loser)), *more]
    log = [log_record(command, offset) for offset, command in enumerate(commands, 20)]
    return FaultlessHistory(log, [kept, loser], ["mug"], {"loser": ERASED_AT, **erased}).history()


def test_an_order_of_a_merged_contact_is_the_survivors() -> None:
    history = merged_history({})
    violations = check(history)
    assert not violations, report(violations)

    unmoved = with_document_changed("links", "o-5", contactId="loser")(history)
    assert {it.law for it in check(unmoved)} == {"the_links_are_the_models"}


def test_deleting_an_order_with_the_contact_that_was_merged_away_breaks_a_law() -> None:
    broken = erasure_laws_broken(merged_history({}, DELETED))
    assert broken == {"a_merge_loses_no_order"}


def test_erasing_the_survivor_must_take_the_orders_of_who_was_merged_into_it() -> None:
    kept = {"kept": ERASED_AT + 1}
    broken = erasure_laws_broken(merged_history(kept))
    assert "no_order_of_an_erased_contact_is_left" in broken
    assert not erasure_laws_broken(merged_history(kept, DELETED))


def shared_until_merged(at: int) -> History:
    """An order waits for an e-mail of two contacts, gets another contact, and they are merged."""
    loser = NAMESAKES[0]
    waiting = order_of("o-5") | {"contact": SHARED}
    commands = [
        ModelCommand(REGISTER, "o-5", "j-20", waiting),
        ModelCommand(REPLACE, "o-5", "j-21", order_of("o-5")),
    ]
    log = [log_record(command, offset) for offset, command in enumerate(commands, 20)]
    history = FaultlessHistory(log, [ANN, *NAMESAKES[:2]], ["mug"]).history()
    value = json.dumps(loser | {"mergedInto": NAMESAKES[1]["contactId"]}).encode()
    contacts = history.records[CONTACTS]
    merged = replace(contacts[1], at=at, offset=2_000, value=value)
    gone = replace(merged, at=at + 1, offset=2_001, value=None)
    return with_records(history, CONTACTS, [*contacts, merged, gone])


def test_an_order_may_have_lacked_a_contact_until_two_were_merged_not_later() -> None:
    violations = check(shared_until_merged(NOW + 1_000))
    assert not violations, report(violations)

    long_before = check(shared_until_merged(NOW - 1_000_000))
    assert {it.law for it in long_before} == {"a_missing_contact_shows_in_the_job"}


@pytest.mark.parametrize(("gone", "survivor"), [((), "a"), (("a",), "b")])
def test_in_a_cycle_of_merges_the_smallest_contact_survives(
    gone: tuple[str, ...], survivor: str
) -> None:
    merges = {"b": "c", "c": "a", "a": "b", "x": "c"}
    assert {survivor_id(it, merges, gone) for it in "abcx"} == {survivor}
    assert survivor_id("x", {"x": "y", "y": "z"}, gone) == "z"


Change = Callable[[History], History]
BREAKING: dict[str, list[Change]] = {}


def breaks(law: str) -> Callable[[Change], Change]:
    def registered(change: Change) -> Change:
        BREAKING.setdefault(law, []).append(change)
        return change

    return registered


def with_document_changed(collection: str, where: str, **fields: Any) -> Change:
    """Change fields of the document with that id; None removes a field."""

    def change(history: History) -> History:
        documents = [
            {name: it for name, it in (found | fields).items() if it is not None}
            if found["_id"] == where
            else found
            for found in history.documents[collection]
        ]
        assert documents != history.documents[collection]
        return replace(history, documents={**history.documents, collection: documents})

    return change


def without_document(collection: str, where: str) -> Change:
    def change(history: History) -> History:
        found = history.documents[collection]
        left = [it for it in found if where not in {it.get("_id"), it.get("jobId")}]
        assert len(left) < len(found)
        return replace(history, documents={**history.documents, collection: left})

    return change


def without_record_of(topic: str, job_id: str) -> Change:
    """Remove a job's records from a topic."""

    def change(history: History) -> History:
        left = [it for it in history.records[topic] if it.json().get("jobId") != job_id]
        return with_records(history, topic, left)

    return change


def with_records(history: History, topic: str, records: list[LogRecord]) -> History:
    assert records != history.records.get(topic)
    return replace(history, records={**history.records, topic: records})


def with_event_changed(job_id: str, topic: str = "orders.events", /, **fields: Any) -> Change:
    """Change the data of a job's event."""

    def change(history: History) -> History:
        records = [
            replace(it, value=json.dumps(it.json() | fields).encode())
            if it.json()["jobId"] == job_id
            else it
            for it in history.records[topic]
        ]
        return with_records(history, topic, records)

    return change


def with_call_changed(number: int, **fields: Any) -> Change:
    """Change the response of a call."""

    def change(history: History) -> History:
        calls = list(history.calls)
        calls[number] = replace(calls[number], **fields)
        return replace(history, calls=calls)

    return change


@breaks("what_kafka_acknowledged_is_in_the_log")
def an_acknowledged_record_is_elsewhere(history: History) -> History:
    publications = [replace(it, partition_offset=(0, 77)) for it in history.publications]
    return replace(history, publications=publications)


@breaks("an_event_keeps_its_meaning")
def an_event_has_two_ids(history: History) -> History:
    events = list(history.records["orders.events"])
    other = (("ce_id", b"another"), events[0].headers[1])
    return with_records(history, "orders.events", [*events, replace(events[0], headers=other)])


@breaks("no_order_goes_back_in_version")
def events_in_another_order(history: History) -> History:
    events = list(history.records["orders.events"])
    return with_records(history, "orders.events", events[::-1])


@breaks("an_event_carries_the_order_as_it_was")
def an_event_with_another_order(history: History) -> History:
    first = history.records["orders.events"][0].json()
    return with_event_changed("j-1", order=first["order"] | {"currencyCode": "SEK"})(history)


@breaks("what_is_no_command_is_a_dead_letter_and_nothing_else")
def no_dead_letter(history: History) -> History:
    return with_records(history, "orders.commands.dlq", [])


@breaks("what_is_no_command_is_a_dead_letter_and_nothing_else")
def a_dead_letter_of_a_good_command(history: History) -> History:
    letter = history.records["orders.commands.dlq"][0]
    other = tuple((name, b"1" if name.endswith("offset") else it) for name, it in letter.headers)
    found = with_records(history, letter.topic, [letter, replace(letter, headers=other)])
    documents = [*history.documents["dead_letters"], {"_id": f"{COMMANDS_TOPIC}/0/1/1"} | OPEN]
    return replace(found, documents={**history.documents, "dead_letters": documents})


@breaks("every_dead_letter_has_a_document_that_says_nothing_of_its_value")
def a_dead_letter_without_a_document(history: History) -> History:
    return without_document("dead_letters", f"{COMMANDS_TOPIC}/0/8/1")(history)


@breaks("every_dead_letter_has_a_document_that_says_nothing_of_its_value")
def a_document_with_the_value_of_its_dead_letter(history: History) -> History:
    return with_document_changed("dead_letters", f"{COMMANDS_TOPIC}/0/8/1", value="{}")(history)


OPEN = {"state": "open"}
UNREADABLE = {
    "a name of a header": LogRecord(COMMANDS_TOPIC, 0, 30, NOW + 30, b"o-9", b"{}", readable=False),
    "a batch": LogRecord(
        COMMANDS_TOPIC, 0, 33, NOW + 30, None, None, readable=False, first_offset=31
    ),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_no_client_can_read_is_one_dead_letter_and_one_failed_job(what: str) -> None:
    history = FaultlessHistory([*command_log(), UNREADABLE[what]], [ANN, BOB], ["mug"], ERASED)
    whole = history.history()
    letters = list(whole.records["orders.commands.dlq"])
    assert not check(whole), report(check(whole))

    lost = with_records(whole, letters[0].topic, letters[:-1])
    assert {it.law for it in check(lost)} == {
        "what_is_no_command_is_a_dead_letter_and_nothing_else"
    }
    job = next(it for it in whole.documents["jobs"] if it["_id"] not in ALL_IDS)
    unnoticed = without_document("jobs", job["_id"])(whole)
    assert {it.law for it in check(unnoticed)} == {"every_command_has_one_job"}


ERASED = {"bob": 1_764_400_010_000}
ALL_IDS = {f"j-{number}" for number in range(1, 12)}


@breaks("every_due_action_was_delivered")
def no_webhook(history: History) -> History:
    return replace(history, webhooks=history.webhooks[1:])


@breaks("no_action_was_sent_that_was_not_due")
def a_webhook_of_nothing(history: History) -> History:
    webhook = history.webhooks[0]
    return replace(
        history, webhooks=[*history.webhooks, replace(webhook, id=derived_id("action", "j-2"))]
    )


@breaks("no_action_was_sent_that_was_not_due")
def a_webhook_with_a_wrong_signature(history: History) -> History:
    webhook = replace(history.webhooks[0], verified=False)
    return replace(history, webhooks=[*history.webhooks, webhook])


@breaks("no_order_of_an_erased_contact_is_left")
def another_contact_is_erased_as_well(history: History) -> History:
    contacts = history.records[CONTACTS]
    tombstone = replace(contacts[-1], key=b"ann", offset=2_000)
    return with_records(history, CONTACTS, [*contacts, tombstone])


@breaks("only_orders_of_erased_contacts_are_deleted")
def nobody_is_erased(history: History) -> History:
    return with_records(history, CONTACTS, list(history.records[CONTACTS][:-1]))


@breaks("only_orders_of_erased_contacts_are_deleted")
def it_was_a_later_life_of_the_order(history: History) -> History:
    contacts = history.records[CONTACTS]
    return with_records(history, CONTACTS, [*contacts[:-1], replace(contacts[-1], at=NOW)])


@breaks("a_merge_loses_no_order")
def the_erased_contact_was_merged_before(history: History) -> History:
    contacts = list(history.records[CONTACTS])
    contacts[1] = replace(contacts[1], value=json.dumps(BOB | {"mergedInto": "ann"}).encode())
    return with_records(history, CONTACTS, contacts)


@breaks("no_action_of_an_erased_contact_is_sent_later")
def a_webhook_long_after_the_erasure(history: History) -> History:
    late = ERASED_AT / 1000 + 301
    webhooks = [replace(it, at=late) if it.order_id == "o-4" else it for it in history.webhooks]
    return replace(history, webhooks=webhooks)


def twice(history: History, *faults: InjectedFault) -> History:
    again: ReceivedWebhook = replace(history.webhooks[0], at=10.0)
    return replace(history, webhooks=[*history.webhooks, again], faults=faults)


@breaks("an_action_comes_twice_only_after_a_fault")
def a_webhook_twice(history: History) -> History:
    return twice(history, InjectedFault("long before", -1_000.0, -900.0))


def test_a_webhook_may_come_twice_after_a_kill() -> None:
    assert not check(twice(faultless(), InjectedFault("the action-trigger is killed", 5.0, 6.0)))


for law_broken, changes in {
    "what_was_accepted_is_in_the_log": [
        with_call_changed(0, response={"jobId": "j-77"}),
        with_call_changed(0, kind=DELETE),
    ],
    "what_was_refused_is_not_in_the_log": [
        with_call_changed(0, status=400, response={"code": "ValidationFailed"}),
        with_call_changed(0, status=503, response={"code": "NotAccepted"}),
    ],
    "every_command_has_one_job": [
        without_document("jobs", "j-1"),
        with_document_changed("jobs", "j-9", _id="j-77"),
    ],
    "only_one_order_is_ever_created": [
        with_document_changed("jobs", "j-2", failure=None, version=2)
    ],
    "versions_only_grow": [with_document_changed("jobs", "j-6", version=1)],
    "every_command_is_applied_once": [
        with_document_changed("jobs", "j-6", version=NOW + 9),
        with_document_changed("orders", "o-2", version=NOW + 8),
    ],
    "a_rejected_duplicate_names_its_owner": [
        with_document_changed(
            "jobs", "j-2", failure={"code": "OrderExists", "status": 409, "detail": "exists"}
        ),
        with_call_changed(2, response={"code": "OrderExists", "jobId": "j-3"}),
    ],
    "every_job_ends_as_the_model_says": [
        with_document_changed("jobs", "j-3", warnings=[{"code": "StaleChange"}]),
        with_document_changed("jobs", "j-4", aliasOf=None),
        with_document_changed("jobs", "j-9", undecoded=None),
        with_document_changed("jobs", "j-7", action=None),
    ],
    "an_idempotency_key_belongs_to_its_first_command": [
        with_document_changed("idempotency", "k", jobId="j-4"),
        without_document("idempotency", "k"),
    ],
    "what_was_answered_stays_true": [
        with_call_changed(
            1, response={"job": {"jobId": "j-2", "errors": [{"code": "VersionMismatch"}]}}
        ),
    ],
    "the_stored_orders_are_the_models": [
        with_document_changed("orders", "o-2", jobId="j-1"),
        with_document_changed("orders", "o-2", order={}),
    ],
    "every_outcome_is_announced": [without_record_of("orders.events", "j-2")],
    "an_event_keeps_its_meaning": [
        with_event_changed("j-3", version=7),
        with_event_changed("j-2", error={"code": "OrderNotFound"}),
    ],
    "nothing_says_who_was_erased": [
        with_document_changed("jobs", "j-10", deep=[{"note": f"for {BOB['email']}!"}]),
        with_document_changed("orders", "o-4", contactId="bob"),
    ],
    "every_order_is_looked_at": [without_document("enrichments", "j-8")],
    "the_links_are_the_models": [
        with_document_changed("links", "o-1", contactId="carol"),
        with_document_changed("links", "o-1", contactVersion=1),
        without_document("links", "o-2"),
    ],
    "a_missing_contact_shows_in_the_job": [
        with_document_changed("enrichments", "j-8", state="done", action="held")
    ],
    "every_enrichment_is_announced": [
        without_record_of("orders.enriched", "j-1"),
        with_event_changed("j-1", "orders.enriched", contactId=None),
    ],
    "the_job_tells_what_became_of_its_action": [
        with_document_changed("enrichments", "j-8", action="fired"),
        with_document_changed("deliveries", derived_id("action", "j-1"), state="dropped"),
    ],
    "every_delivery_is_announced": [
        without_record_of("orders.deliveries", "j-1"),
        without_record_of("orders.actions", "j-1"),
    ],
    "the_integration_log_says_what_is_due": [
        without_document("integration_log", "j-8"),
        without_document("integration_log", "j-9"),
    ],
}.items():
    for breaking in changes:
        breaks(law_broken)(breaking)


@breaks("what_got_no_answer_is_one_command_at_most")
def one_call_makes_two_commands(history: History) -> History:
    """The connection broke, and a proxy has sent the request again."""
    calls = [post_call(0, None, {})]
    log = [
        replace(it, headers=(*it.headers[:3], ("ce_source", b"/gateway"), TRACED))
        if it.offset == 1
        else it
        for it in history.records[COMMANDS_TOPIC]
    ]
    return replace(with_records(history, COMMANDS_TOPIC, log), calls=calls)


TRACED = ("traceparent", TRACE.format(0).encode())


@pytest.mark.parametrize("law", [law.__name__ for law in LAWS])
def test_what_breaks_a_law_is_found_under_its_name(law: str) -> None:
    assert BREAKING[law], "a law that was never seen to fail"
    for change in BREAKING[law]:
        violations = check(change(faultless()))
        assert {it.law for it in violations} == {law}, report(violations)
