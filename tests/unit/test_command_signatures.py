"""A signature proves that one of our gateways made a record, byte by byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from order_contracts.cloudevents import GATEWAY_SIGNATURE
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.records import Record
from support.builders.commands import AT, register
from support.builders.gateway_records import SIGNATURES, claimed, issued_id, own, signed

VALUE = register().to_json()
OWN = own(VALUE)
OLD, NEW = b"o" * 32, b"n" * 32
Header = tuple[str, bytes | None]

texts = st.text(st.characters(codec="utf-8"), max_size=8)
contents = st.none() | st.binary(max_size=12)
names = st.sampled_from(["ce_id", "ce_type", "CE_Type", "ce_new", "ce_", "content-type"]) | texts
headers = st.tuples(names, contents)
records = st.builds(
    lambda key, value, found: replace(OWN, key=key, value=value, headers=tuple(found)),
    key=contents,
    value=contents,
    found=st.lists(headers, max_size=4),
)


def signature_of(record: Record) -> bytes | None:
    return dict(record.headers)[GATEWAY_SIGNATURE]


def header(name: str, value: bytes | None) -> Record:
    """Return the gateway's record with one header more."""
    return replace(OWN, headers=(*OWN.headers, (name, value)))


def without(name: str) -> Record:
    return replace(OWN, headers=tuple(pair for pair in OWN.headers if pair[0] != name))


def test_what_a_gateway_signed_is_known() -> None:
    assert SIGNATURES.made(OWN)
    assert not SIGNATURES.made(claimed(VALUE))


@given(key=contents, value=contents)
def test_a_copy_under_another_key_or_with_another_value_is_not_known(
    key: bytes | None, value: bytes | None
) -> None:
    assume((key, value) != (OWN.key, OWN.value))
    assert not SIGNATURES.made(replace(OWN, key=key, value=value))


@given(st.lists(headers, min_size=1, max_size=3), st.integers(0, len(OWN.headers)))
def test_a_copy_with_another_header_is_not_known(added: list[Header], place: int) -> None:
    """A new one, a repeated one, one in another case, one without a value: wherever it is."""
    more = (*OWN.headers[:place], *added, *OWN.headers[place:])
    assert not SIGNATURES.made(replace(OWN, headers=more))


@given(st.integers(0, len(OWN.headers) - 1), contents)
def test_a_copy_with_a_changed_header_is_not_known(index: int, value: bytes | None) -> None:
    name, was = OWN.headers[index]
    assume(value != was)
    changed = (*OWN.headers[:index], (name, value), *OWN.headers[index + 1 :])
    assert not SIGNATURES.made(replace(OWN, headers=changed))


@pytest.mark.parametrize("name", [name for name, _ in OWN.headers])
def test_a_copy_that_lacks_a_header_or_repeats_it_is_not_known(name: str) -> None:
    assert not SIGNATURES.made(without(name))
    assert not SIGNATURES.made(header(name, dict(OWN.headers)[name]))


@given(st.integers(0, len(VALUE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_enough(index: int, by: int) -> None:
    changed = VALUE[:index] + bytes([VALUE[index] ^ by]) + VALUE[index + 1 :]
    assert not SIGNATURES.made(replace(OWN, value=changed))


@given(records, records)
def test_different_records_have_different_signatures(one: Record, other: Record) -> None:
    """However bytes are moved between the key, the value and the headers."""
    same = (one.key, one.value, one.headers) == (other.key, other.value, other.headers)
    assert (signature_of(signed(one)) == signature_of(signed(other))) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"key": b"ab", "value": b"c"}, {"key": b"a", "value": b"bc"}),
        ({"key": None, "value": b""}, {"key": b"", "value": None}),
        ({"headers": (("ce_a", b"b"),)}, {"headers": (("ce_", b"ab"),)}),
        ({"headers": (("ce_a", b""),)}, {"headers": (("ce_a", None),)}),
        ({"headers": (("a", b"1"), ("b", b"2"))}, {"headers": (("b", b"2"), ("a", b"1"))}),
        ({"value": b"1"}, {"value": b"1", "headers": ()}),
    ],
)
def test_bytes_belong_to_their_field(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    both = [signed(replace(OWN, **fields)) for fields in (one, other)]  # type: ignore[arg-type]
    assert signature_of(both[0]) != signature_of(both[1])


def test_the_signature_is_made_of_what_the_record_has_without_it() -> None:
    """So that it doesn't matter whether a header of that name was there."""
    again = signed(without(GATEWAY_SIGNATURE))
    assert again == OWN


def test_a_record_that_was_sent_again_is_not_the_gateways() -> None:
    """It was a dead letter once: to stop for it would stop at each start."""
    assert not SIGNATURES.made(header("orders-replay", issued_id().encode()))


def test_who_copies_a_signature_gains_nothing() -> None:
    borrowed = (GATEWAY_SIGNATURE, signature_of(OWN))
    forged = claimed(b"{")
    assert not SIGNATURES.made(replace(forged, headers=(*forged.headers, borrowed)))


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"0" * 64])
def test_what_is_no_signature_proves_nothing(value: bytes | None) -> None:
    bare = without(GATEWAY_SIGNATURE)
    assert not SIGNATURES.made(replace(bare, headers=(*bare.headers, (GATEWAY_SIGNATURE, value))))


def test_an_old_secret_verifies_what_it_signed_and_signs_no_more() -> None:
    """Gateways change it one after the other, and their records are in the topic for days."""
    old, both = (CommandSignatures(JobIdSecrets(it)) for it in ([OLD], [NEW, OLD]))
    new = CommandSignatures(JobIdSecrets([NEW]))
    record = claimed(VALUE, job_id=issued_id(secret=OLD))
    assert both.made(signed(record, old))
    assert not new.made(signed(record, old))
    record = claimed(VALUE, job_id=issued_id(secret=NEW))
    assert both.made(signed(record, both))
    assert new.made(signed(record, both))
    assert not old.made(signed(record, both))


def test_who_has_no_secret_knows_no_record() -> None:
    """An order-writer that was given none refuses what it can't read, whoever sent it."""
    assert not CommandSignatures(JobIdSecrets([])).made(OWN)


@pytest.mark.parametrize(
    ("age", "known"),
    [
        (timedelta(minutes=-5), True),
        (timedelta(0), True),
        (timedelta(days=30, milliseconds=-1), True),
        (timedelta(days=30), False),
        (timedelta(days=400), False),
    ],
)
def test_a_signature_is_void_once_its_job_is_not_kept(age: timedelta, *, known: bool) -> None:
    """The ledger doesn't recognise a copy any more, which a later release may not read."""
    assert SIGNATURES.made(replace(OWN, at=AT + age)) == known


@pytest.mark.parametrize("job_id", ["job-1", "0198a9c2-1f00-8abc-9def-0123456789ab"])
def test_a_signature_of_an_id_that_was_never_issued_is_void(job_id: str) -> None:
    assert not SIGNATURES.made(own(VALUE, job_id=job_id))


def test_a_record_without_an_id_is_not_known() -> None:
    assert not SIGNATURES.made(signed(without("ce_id")))
