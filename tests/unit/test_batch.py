"""A batch folded over the ledger: repeats recognised, reused ids refused, however it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_contracts.commands import Command
from order_contracts.derived_ids import version_tag
from order_contracts.job import Operation
from order_contracts.topics import MIB
from order_runtime.documents.orders import LiveOrder
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.decode import decode, poison_command
from order_writer.domain.events import outgoing_records
from support.builders.bodies import order_body
from support.builders.commands import (
    AT,
    FIRST_VERSION,
    TOPIC_INFO,
    change_status,
    command_record,
    delete,
    raw_record,
    register,
    replace_order,
    seconds_later,
    trigger_action,
)
from support.fakes.memory_kafka import ids_of
from support.fakes.memory_ledger import MemoryLedger


def applied(ledger: MemoryLedger, *records: Record) -> list[Outgoing]:
    """Apply *records* as one batch; return what is announced."""
    return list(outgoing_records(ledger.apply([decode(each, TOPIC_INFO) for each in records])))


def codes(ledger: MemoryLedger) -> dict[str, str | None]:
    """Return why each job failed, None where it was applied."""
    jobs = ledger.jobs.values()
    return {entry.job_id: entry.failure.code if entry.failure else None for entry in jobs}


def log_codes(ledger: MemoryLedger) -> list[tuple[str, str]]:
    return [(entry.code, entry.job_id) for entry in ledger.log.values()]


def again(sent: Record) -> Record:
    """Return the same command at another position, as a publisher's retry writes it."""
    return replace(sent, offset=sent.offset + 1_000, at=seconds_later(60))


BODY = order_body("o-1")
REGISTER = command_record(register(), "job-1")


def millis(record: Record) -> int:
    return round(record.at.timestamp() * 1000)


def test_commands_of_one_batch_build_on_each_other() -> None:
    """Register and change in one breath."""
    ledger = MemoryLedger()
    applied(
        ledger,
        REGISTER,
        command_record(change_status(), "job-2"),
        command_record(delete(), "job-3"),
    )
    assert codes(ledger) == {"job-1": None, "job-2": None, "job-3": None}
    versions = [ledger.jobs[f"job-{n}"].version for n in (1, 2, 3)]
    assert versions == [FIRST_VERSION, FIRST_VERSION + 1, FIRST_VERSION + 2]


def test_of_many_registrations_in_a_batch_one_is_applied() -> None:
    ledger = MemoryLedger()
    applied(ledger, *[command_record(register(), f"job-{n}") for n in range(5)])
    assert list(codes(ledger).values()) == [None, *["OrderExists"] * 4]


@pytest.mark.parametrize("together", [True, False])
def test_the_same_command_under_the_same_id_is_applied_once(*, together: bool) -> None:
    """Whether its repeat comes in the same batch or in a later one."""
    ledger, repeat = MemoryLedger(), again(REGISTER)
    if together:
        events = applied(ledger, REGISTER, repeat)
    else:
        events = applied(ledger, REGISTER) + applied(ledger, repeat)
    assert codes(ledger) == {"job-1": None}
    assert len(set(ids_of(events))) == 1
    assert len(events) == 2
    assert events[0] == events[1]


def test_a_replay_announces_all_again_and_changes_nothing() -> None:
    """The event of a command may have been lost in a crash; its id tells a repeat."""
    ledger = MemoryLedger()
    batch = [REGISTER, command_record(change_status(), "job-2"), raw_record(b"{", job_id="job-3")]
    first = applied(ledger, *batch)
    jobs, orders, log = dict(ledger.jobs), dict(ledger.orders), dict(ledger.log)
    assert applied(ledger, *batch) == first
    assert (ledger.jobs, ledger.orders, ledger.log) == (jobs, orders, log)


def test_a_repeat_tells_the_state_of_now() -> None:
    """`version` is what the command made, `orderVersion` and `order` what is stored."""
    ledger = MemoryLedger()
    applied(ledger, REGISTER, command_record(change_status(), "job-2"))
    (repeat,) = applied(ledger, REGISTER)
    assert f'"version":{FIRST_VERSION},"orderVersion":{FIRST_VERSION + 1}'.encode() in (
        repeat.value or b""
    )
    assert b'"status":"Completed"' in (repeat.value or b"")


def test_the_same_id_for_another_command_is_refused_under_a_derived_id() -> None:
    ledger = MemoryLedger()
    other = command_record(register("o-2"), "job-1")
    applied(ledger, REGISTER, other)
    fallback = decode(other, TOPIC_INFO).fallback_job_id
    assert codes(ledger) == {"job-1": None, fallback: "IdReused"}
    assert log_codes(ledger) == [("IdReused", fallback)]
    assert set(ledger.orders) == {"o-1"}


@pytest.mark.parametrize("together", [True, False])
def test_a_reused_id_that_comes_again_is_refused_once(*, together: bool) -> None:
    ledger = MemoryLedger()
    other = command_record(register("o-2"), "job-1")
    if together:
        applied(ledger, REGISTER, other, other)
    else:
        applied(ledger, REGISTER, other)
        applied(ledger, other)
    assert len(ledger.jobs) == 2


@pytest.mark.parametrize(
    "other",
    [
        command_record(register(channel="web"), "job-1"),
        command_record(delete(), "job-1"),
        raw_record(register().to_json(), job_id="job-1", headers=(("ce_ifmatch", b"*"),)),
        raw_record(register().to_json(), job_id="job-1", headers=(("ce_actions", b"suppress"),)),
        raw_record(b"{", job_id="job-1"),
    ],
    ids=["data", "type", "precondition", "actions", "unreadable"],
)
def test_a_command_is_another_where_anything_that_counts_differs(other: Record) -> None:
    ledger = MemoryLedger()
    applied(ledger, REGISTER, other)
    assert len(ledger.jobs) == 2


def test_spacing_and_the_order_of_members_make_no_other_command() -> None:
    """A retry may be serialised anew."""
    spaced = b'{ "orderId" : "o-1" }'
    first = raw_record(b'{"orderId":"o-1"}', kind="DeleteOrder.v1", job_id="job-1")
    ledger = MemoryLedger()
    applied(ledger, first, raw_record(spaced, kind="DeleteOrder.v1", job_id="job-1"))
    assert len(ledger.jobs) == 1


def test_without_an_id_each_record_is_a_command_of_its_own() -> None:
    ledger = MemoryLedger()
    body = register().to_json()
    applied(ledger, raw_record(body), raw_record(body))
    assert list(codes(ledger).values()) == [None, "OrderExists"]


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        (b"{" + b" " * MIB, "o-1", ()),
        (b"{}", "o" * MIB, ()),
        (b"{}", "o-1", (("x", b"x" * MIB),)),
    ],
)
def test_a_compressed_giant_is_told_of_by_its_place(
    value: bytes, key: str, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """With what it holds neither event nor dead letter could be published: the writer would end."""
    sent = raw_record(value, key, headers=headers)
    letter, event = applied(MemoryLedger(), sent)
    told = dict(letter.headers)
    assert told["__connect.errors.offset"] == str(sent.offset).encode()
    assert (letter.value, len(letter.key or b"") < MIB) == (None, True)
    assert letter.key == event.key
    assert sum(len(name) + len(it or b"") for name, it in letter.headers) < 2_000


def test_an_unreadable_record_ends_as_a_failed_job_and_a_dead_letter() -> None:
    """And the commands around it are applied."""
    ledger = MemoryLedger()
    bad = raw_record(b"{", job_id="job-2")
    out = applied(ledger, REGISTER, bad, command_record(delete(), "job-3"))
    assert codes(ledger) == {"job-1": None, "job-2": "ValidationFailed", "job-3": None}
    assert not ledger.jobs["job-2"].decoded
    assert ledger.jobs["job-2"].operation is Operation.UNKNOWN
    assert log_codes(ledger) == [("CommandRejected", "job-2")]
    letters = [each for each in out if each.topic == "orders.commands.dlq"]
    assert [(each.key, each.value) for each in letters] == [(bad.key, bad.value)]


def test_a_misrouted_command_is_applied_and_logged() -> None:
    ledger = MemoryLedger()
    wrong = (REGISTER.partition + 1) % 12
    applied(ledger, replace(REGISTER, partition=wrong))
    assert codes(ledger) == {"job-1": None}
    assert log_codes(ledger) == [("Misrouted", "job-1")]
    assert [it.code for it in ledger.jobs["job-1"].warnings] == ["Misrouted"]


def test_a_misrouted_command_that_is_refused_says_so_as_well() -> None:
    ledger = MemoryLedger()
    second = command_record(register(), "job-2")
    wrong = (second.partition + 1) % 12
    applied(ledger, REGISTER, replace(second, partition=wrong))
    assert codes(ledger)["job-2"] == "OrderExists"
    assert [it.code for it in ledger.jobs["job-2"].warnings] == ["Misrouted"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"/shop", "/shop"),
        (b"https://shop.example.com/1", "https://shop.example.com/1"),
        (b"a shop", None),
        (b"\x1b[2J", None),
        (b"\xff", None),
        (b"/" * 201, None),
        (None, None),
    ],
)
def test_the_integration_log_says_who_sent_what_is_wrong(
    sent: bytes | None, told: str | None
) -> None:
    """As far as it is short plain text: it is read in terminals and pages."""
    ledger = MemoryLedger()
    bad = raw_record(b"{", "job-1")
    kept = tuple(pair for pair in bad.headers if pair[0] != "ce_source")
    applied(ledger, replace(bad, headers=kept if sent is None else (*kept, ("ce_source", sent))))
    assert [(it.code, it.source) for it in ledger.log.values()] == [("CommandRejected", told)]


def test_the_order_is_stamped_with_the_brokers_time() -> None:
    """What is decided depends on the log alone, so that it can be replayed."""
    ledger = MemoryLedger()
    applied(ledger, replace(REGISTER, at=seconds_later(7)))
    order = ledger.orders["o-1"]
    assert isinstance(order, LiveOrder)
    assert (order.registered_at, ledger.jobs["job-1"].at) == (seconds_later(7), seconds_later(7))


def keyed(command: Command, job_id: str, key: str = "k") -> Record:
    return command_record(command, job_id, headers=(("ce_idempotencykey", key.encode()),))


@pytest.mark.parametrize("together", [True, False])
def test_a_retry_under_its_idempotency_key_is_an_alias_of_the_first(*, together: bool) -> None:
    """A client that had no answer sends it again, and gets another job id."""
    ledger = MemoryLedger()
    command = register(orderAction={"action": "Custom"})
    first, retry = keyed(command, "job-1"), keyed(command, "job-2")
    if together:
        out = applied(ledger, first, retry)
    else:
        out = applied(ledger, first) + applied(ledger, retry)
    assert codes(ledger) == {"job-1": None, "job-2": None}
    alias = ledger.jobs["job-2"]
    assert (alias.alias_of, alias.version, alias.action) == ("job-1", None, None)
    kinds = [dict(each.headers)["ce_type"] for each in out]
    assert kinds == [b"OrderRegistered.v1", b"OrderUnchanged.v1"]


def test_a_retry_of_what_failed_fails_no_second_time() -> None:
    """It is the first job again, whatever became of that."""
    ledger = MemoryLedger()
    registered = command_record(register(), "job-3")
    applied(ledger, keyed(delete(), "job-1"), registered, keyed(delete(), "job-2"))
    assert ledger.jobs["job-2"].alias_of == "job-1"
    assert isinstance(ledger.orders["o-1"], LiveOrder)


def test_another_command_under_the_same_key_is_refused() -> None:
    ledger = MemoryLedger()
    applied(ledger, keyed(register(), "job-1"), keyed(delete(), "job-2"))
    assert codes(ledger) == {"job-1": None, "job-2": "IdempotencyKeyReused"}
    assert isinstance(ledger.orders["o-1"], LiveOrder)


def twice_keyed(command: Command, job_id: str, before: str = "k ", key: str = "k") -> Record:
    """Return a command whose Idempotency-Key was sent with a blank behind it."""
    headers = (("ce_untrimmedkey", before.encode()), ("ce_idempotencykey", key.encode()))
    return command_record(command, job_id, headers=headers)


@pytest.mark.parametrize("together", [True, False])
def test_a_retry_finds_what_an_older_gateway_claimed_with_a_blank(*, together: bool) -> None:
    """From then on it is also found without."""
    ledger, command = MemoryLedger(), delete()
    records = [
        command_record(register(), "job-0"),
        keyed(command, "job-1", "k "),
        twice_keyed(command, "job-2"),
        keyed(command, "job-3"),
    ]
    batches = [records] if together else [[record] for record in records]
    for batch in batches:
        applied(ledger, *batch)
    assert [ledger.jobs[it].alias_of for it in ("job-2", "job-3")] == ["job-1", "job-1"]
    assert {key: claim.job_id for key, claim in ledger.claims.items()} == {
        "k ": "job-1",
        "k": "job-1",
    }


def test_a_retry_through_an_older_gateway_is_recognised() -> None:
    """While gateways are replaced one by one, either may take the retry."""
    ledger, command = MemoryLedger(), register()
    applied(ledger, twice_keyed(command, "job-1"))
    applied(ledger, keyed(command, "job-2", "k "), keyed(command, "job-3", "k"))
    assert {it: entry.alias_of for it, entry in ledger.jobs.items()} == {
        "job-1": None,
        "job-2": "job-1",
        "job-3": "job-1",
    }


def test_keys_that_were_two_before_blanks_were_trimmed_refuse_nobodys_retry() -> None:
    """The same header was accepted before: its command is the one that is repeated."""
    ledger, command = MemoryLedger(), register()
    applied(ledger, keyed(command, "job-1", "k"), keyed(delete(), "job-2", "k "))
    applied(ledger, twice_keyed(delete(), "job-3"), twice_keyed(command, "job-4"))
    assert [ledger.jobs[it].alias_of for it in ("job-3", "job-4")] == ["job-2", "job-1"]
    applied(ledger, twice_keyed(change_status(), "job-5"))
    assert codes(ledger)["job-5"] == "IdempotencyKeyReused"


def test_two_keys_are_two_commands() -> None:
    ledger = MemoryLedger()
    applied(ledger, keyed(register(), "job-1", "k"), keyed(register(), "job-2", "l"))
    assert set(ledger.claims) == {"k", "l"}
    assert len(ledger.jobs) == 2


def replay(sent: Record, job_id: str, seconds: float = 600) -> Record:
    """Return *sent* as `orders dlq replay` sends its dead letter again."""
    header = ("orders-replay", job_id.encode())
    offset = sent.offset + 2_000
    return replace(sent, offset=offset, at=seconds_later(seconds), headers=(*sent.headers, header))


def poison(ledger: MemoryLedger, sent: Record) -> None:
    """Refuse a good command, as a writer does in which it fails for a reason nobody knows."""
    ledger.apply([poison_command(sent, TOPIC_INFO)])


AHEAD = register(createdAt=seconds_later(400).isoformat()).to_json()
"""Unreadable now, for its clock is ahead; readable when it is sent again ten minutes later."""


@pytest.mark.parametrize("job_id", ["job-1", None], ids=["its own id", "a derived id"])
@pytest.mark.parametrize("together", [True, False])
def test_a_replay_settles_the_job_that_failed_at_decoding(
    job_id: str | None, *, together: bool
) -> None:
    """Under the id that it had, by which its sender follows it; the log says that it is over."""
    ledger, first = MemoryLedger(), raw_record(AHEAD, job_id=job_id)
    failed = decode(first, TOPIC_INFO).job_id
    again = replay(first, failed)
    out = applied(ledger, first, again) if together else []
    if not together:
        out = applied(ledger, first) + applied(ledger, again)
    assert codes(ledger) == {failed: None}
    assert (ledger.jobs[failed].version, ledger.jobs[failed].at) == (millis(again), again.at)
    assert [entry.resolved_at for entry in ledger.log.values()] == [again.at]
    kinds = [dict(each.headers)["ce_type"] for each in out if each.topic == "orders.events"]
    assert kinds == [b"OrderCommandRejected.v1", b"OrderRegistered.v1"]


def test_the_log_read_again_after_a_replay_changes_nothing() -> None:
    """The first record is still unreadable, and is known by its bytes."""
    ledger, first = MemoryLedger(), raw_record(AHEAD, job_id="job-1")
    batch = [first, replay(first, "job-1"), replay(first, "job-1", 700)]
    applied(ledger, *batch)
    stored = (dict(ledger.jobs), dict(ledger.orders), dict(ledger.log))
    for each in batch:
        applied(ledger, each)
    assert (ledger.jobs, ledger.orders, ledger.log) == stored


def test_a_command_that_was_refused_as_poison_is_settled_by_its_replay() -> None:
    ledger = MemoryLedger()
    poison(ledger, REGISTER)
    applied(ledger, REGISTER)
    assert codes(ledger) == {"job-1": "InternalError"}
    applied(ledger, replay(REGISTER, "job-1"))
    assert codes(ledger) == {"job-1": None}
    assert isinstance(ledger.orders["o-1"], LiveOrder)


def test_a_writer_that_reads_more_than_the_last_one_takes_a_refused_record_for_known() -> None:
    """Without a replay it stays refused: no second job is made of it."""
    ledger = MemoryLedger()
    ledger.apply([replace(poison_command(REGISTER, TOPIC_INFO), fingerprint="of its bytes")])
    applied(ledger, REGISTER)
    assert codes(ledger) == {"job-1": "InternalError"}


def test_a_replay_that_fails_again_says_why_now() -> None:
    ledger, bad = MemoryLedger(), raw_record(b"{", job_id="job-1")
    poison(ledger, bad)
    out = applied(ledger, replay(bad, "job-1"))
    assert codes(ledger) == {"job-1": "ValidationFailed"}
    assert [each.topic for each in out] == ["orders.commands.dlq", "orders.events"]
    assert [entry.resolved_at for entry in ledger.log.values()] == [None]


def test_a_replay_is_judged_by_what_is_stored_now() -> None:
    """Somebody may have registered the order meanwhile."""
    ledger, first = MemoryLedger(), raw_record(AHEAD, job_id="job-1")
    applied(ledger, first, command_record(register(), "job-2"), replay(first, "job-1"))
    assert codes(ledger) == {"job-1": "OrderExists", "job-2": None}


def test_a_replay_of_what_was_decided_is_a_plain_repeat() -> None:
    """A duplicate stays one, whoever says that it isn't."""
    ledger, second = MemoryLedger(), command_record(register(), "job-2")
    applied(ledger, REGISTER, second)
    stored = dict(ledger.jobs)
    applied(ledger, replay(second, "job-2"), replay(REGISTER, "job-1"))
    assert ledger.jobs == stored


@pytest.mark.parametrize("own", ["job-2", None])
def test_a_stranger_settles_nobody_elses_job(own: str | None) -> None:
    """Who names a failed job and sends other bytes is refused, or is another command."""
    ledger = MemoryLedger()
    applied(
        ledger, raw_record(b"{", job_id="job-1"), replay(command_record(register(), own), "job-1")
    )
    assert codes(ledger)["job-1"] == "ValidationFailed"
    assert len(ledger.jobs) == 2


def test_a_replay_under_an_idempotency_key_that_was_used_meanwhile_is_an_alias() -> None:
    key = (("ce_idempotencykey", b"k"),)
    ledger, first = MemoryLedger(), raw_record(AHEAD, job_id="job-1", headers=key)
    retry = raw_record(AHEAD, job_id="job-2", headers=key, at=seconds_later(600))
    applied(ledger, first, retry, replay(first, "job-1"))
    assert ledger.jobs["job-1"].alias_of == "job-2"


@dataclass(frozen=True)
class Sent:
    """A command of a generated log: few ids, so that they meet."""

    kind: str
    order_id: str
    job: str | None
    key: str | None
    seconds: int

    def record(self, offset: int) -> Record:
        place: dict[str, Any] = {"offset": offset, "at": seconds_later(offset)}
        if self.key is not None:
            place["headers"] = (("ce_idempotencykey", self.key.encode()),)
        if self.kind in {"garbage", "ahead"}:
            value = b"{" if self.kind == "garbage" else self._command().to_json()
            return raw_record(value, self.order_id, job_id=self.job, **place)
        return command_record(self._command(), self.job, **place)

    def _command(self) -> Command:
        match self.kind:
            case "register":
                return register(**_FIXED, order_id=self.order_id)
            case "ahead":  # at the first offsets it can't be read
                at = seconds_later(300 + _READABLE).isoformat()
                return register(**_FIXED | {"createdAt": at}, order_id=self.order_id)
            case "replace":
                return replace_order(**_FIXED, order_id=self.order_id)
            case "status":
                return change_status(self.order_id, seconds_later(self.seconds))
            case "action":
                return trigger_action(version_tag("a"), self.order_id)
            case _:
                return delete(self.order_id)


_FIXED = {name: value for name, value in BODY.items() if name != "orderId"}
_READABLE = 5
KINDS = ["register", "replace", "status", "action", "delete", "garbage", "ahead", "replay"]


def log_of(sent: Sequence[Sent]) -> list[Record]:
    """Return the records, the replays among them sending one of those before them again."""
    records: list[Record] = []
    for offset, each in enumerate(sent):
        made = each.record(offset)
        if each.kind == "replay" and records:
            first = records[each.seconds % len(records)]
            header = ("orders-replay", decode(first, TOPIC_INFO).job_id.encode())
            kept = tuple(pair for pair in first.headers if pair[0] != "orders-replay")
            made = replace(first, offset=offset, at=made.at, headers=(*kept, header))
        records.append(made)
    return records


LOGS = st.lists(
    st.builds(
        Sent,
        st.sampled_from(KINDS),
        st.sampled_from(["o-1", "o-2"]),
        st.sampled_from([None, "a", "b", "c", "d"]),
        st.sampled_from([None, None, "k", "l"]),
        st.integers(-2, 2),
    ),
    min_size=1,
    max_size=12,
)
DELIVERIES = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=12)
"""The size of each batch, and how far a crash after it takes the reader back."""


def delivered(records: Sequence[Record], steps: Sequence[tuple[int, int]]) -> list[list[Record]]:
    """Return the batches in which a consumer reads *records* that crashes after some of them."""
    batches, at = [], 0
    for size, back in steps:
        batches.append(list(records[at : at + size]))
        at = max(0, min(at + size, len(records)) - back)
    return [*batches, list(records[at:])]


def news(batches: Sequence[Sequence[Record]]) -> tuple[MemoryLedger, set[tuple[str, str]]]:
    ledger = MemoryLedger()
    told = [out for batch in batches if batch for out in applied(ledger, *batch)]
    events = [out for out in told if out.topic == "orders.events"]
    kinds = [dict(out.headers)["ce_type"] or b"" for out in events]
    return ledger, set(zip(ids_of(events), map(bytes.decode, kinds), strict=True))


@given(LOGS, DELIVERIES)
def test_however_a_log_is_cut_and_read_again_the_outcome_is_one(
    sent: list[Sent], steps: list[tuple[int, int]]
) -> None:
    """Crashes and rebalances choose the batches; they must choose nothing else."""
    records = log_of(sent)
    one_by_one, told = news([[each] for each in records])
    in_batches, told_again = news(delivered(records, steps))
    assert in_batches.jobs == one_by_one.jobs
    assert in_batches.orders == one_by_one.orders
    assert (in_batches.log, in_batches.claims) == (one_by_one.log, one_by_one.claims)
    assert told_again == told
    for each in records:
        applied(in_batches, each)
    assert (in_batches.jobs, in_batches.log) == (one_by_one.jobs, one_by_one.log)
    assert all(each.at >= AT for each in in_batches.jobs.values())


@given(LOGS)
def test_every_record_has_an_answer(sent: list[Sent]) -> None:
    """Nothing ends in silence, whoever sent it."""
    records = log_of(sent)
    folded = MemoryLedger().apply([decode(each, TOPIC_INFO) for each in records])
    assert [item.record for item, _ in folded.answers] == records


@given(LOGS)
def test_the_versions_of_an_order_only_grow(sent: list[Sent]) -> None:
    records = log_of(sent)
    folded = MemoryLedger().apply([decode(each, TOPIC_INFO) for each in records])
    for order_id in ("o-1", "o-2"):
        made = [e.version for e in folded.entries if e.order_id == order_id and e.version]
        assert made == sorted(set(made))
