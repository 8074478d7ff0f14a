"""A record of `orders.commands` as a command, or as the reason why it can't be read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from order_contracts.cloudevents import (
    CLIENT,
    ROUNDED,
    BadHeaders,
    read_headers,
)
from order_contracts.commands import COMMANDS
from order_contracts.decoding import Invalid, parse, read
from order_contracts.errors import Failure, FieldError, failure
from order_contracts.job import Operation
from order_contracts.rounding import NONE_ROUNDED, RoundedNumbers, roundings_in
from order_contracts.structured import attributes, data_of, structured_event, told
from order_contracts.trace_context import TRACEPARENT, traceparent_in, well_formed
from order_runtime.documents.dead_letters import order_id_of_key
from order_runtime.documents.fingerprints import fingerprint, with_milliseconds
from order_runtime.documents.senders import sender
from order_runtime.kafka.dead_letters import REPLAY
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.records import Record, split_by_size
from order_writer.domain.batch_items import BatchItem, DecodedCommand, TopicInfo, UnreadableCommand
from order_writer.domain.command_headers import (
    delete_guard,
    idempotency_keys,
    known_type,
    suppresses_actions,
)
from order_writer.domain.lockstep import Steps, in_lockstep
from order_writer.domain.record_ids import (
    bytes_fingerprint,
    exceeds_topic_limit,
    position_id,
    readable_id,
    readable_sender,
    replayed_id,
    sender_id,
)

TOGETHER_BYTES: Final = 96 * 1024  # of values; parsed, they take about ten times as many
_TOO_LARGE: Final = "The command is larger than 1 MiB before it is compressed."
_POISON: Final = "The command could not be applied; it is a dead letter."
_OPERATIONS: Final = {kind: Operation(kind.partition(".")[0]) for kind in COMMANDS}


def decode(record: Record, topic: TopicInfo) -> BatchItem:
    """Decode one record; an invalid one is a value, too, and raises nothing."""
    return decode_all([record], topic)[0]


def decode_all(records: Iterable[Record], topic: TopicInfo) -> list[BatchItem]:
    """Decode records in lockstep, in portions whose parsed values take little memory."""
    portions = split_by_size(records, TOGETHER_BYTES)
    return [item for some in portions for item in in_lockstep(_decoding(it, topic) for it in some)]


def _decoding(record: Record, topic: TopicInfo) -> Steps[BatchItem]:
    if record.unreadable is not None:
        return _unreadable(record, topic, failure("ValidationFailed", record.unreadable))
    if exceeds_topic_limit(record):
        return _unreadable(record, topic, failure("TooLarge", _TOO_LARGE))
    try:
        event = structured_event(record.headers, record.value)
    except Invalid as error:
        return _unreadable(record, topic, _not_valid(error))
    try:
        if event is not None:
            return (yield from _decoded_structured(record, event, topic))
        headers = read_headers(record.headers)
        return (yield from _decoded(record, headers, lambda: _parsed(record), topic, binary=True))
    except BadHeaders as error:
        reason = failure("ValidationFailed", str(error) if event is None else told(str(error)))
    except Invalid as error:
        reason = _not_valid(error)
    unreadable = _unreadable(record, topic, reason)
    return replace(unreadable, from_gateway=event is None and topic.signed(record))


def _decoded_structured(
    record: Record, event: Mapping[str, Any], topic: TopicInfo
) -> Steps[DecodedCommand]:
    """Decode an event whose attributes are in its value; the `ce_` headers are ignored."""
    kept = [it for it in record.headers if not it[0].lower().startswith(("ce_", "content-type"))]
    headers = {**read_headers(kept), **attributes(event)}
    return (yield from _decoded(record, headers, lambda: _data(event), topic, binary=False))


def _decoded(
    record: Record,
    headers: Mapping[str, str],
    content: Callable[[], Any],
    topic: TopicInfo,
    *,
    binary: bool,
) -> Steps[DecodedCommand]:
    job_id = sender_id(headers) or _derived_id(record, topic)
    kind = known_type(headers)
    yield
    value = content()
    yield
    # Gateways send in binary mode alone, whoever uses an id of theirs elsewhere.
    issued = binary and topic.issued(job_id)
    rounded = RoundedNumbers(roundings_in(headers.get(ROUNDED, "")) if issued else NONE_ROUNDED)
    # The gateway compared the times with its own clock before it answered 202: not again here.
    now = None if issued else record.at
    command = read(COMMANDS[kind], value, now=now, rounded=rounded)
    yield
    _check_key(record, command.order_id)
    if_match = headers.get("ce_ifmatch")
    suppress = suppresses_actions(headers)
    guard = delete_guard(headers, command)
    keys = idempotency_keys(headers)
    print_of = partial(fingerprint, kind, if_match=if_match, suppress=suppress, guard=guard)
    current_print = print_of(value)
    earlier_print = print_of(with_milliseconds(value)) if issued and keys else None
    yield
    return DecodedCommand(
        record=record,
        job_id=job_id,
        topic=topic,
        fingerprint=current_print,
        order_id=command.order_id,
        operation=_OPERATIONS[kind],
        command=command,
        if_match=if_match,
        idempotency_keys=keys,
        suppress_actions=suppress,
        guard=guard,
        misrouted=not issued
        and partition_of(command.order_id.encode(), topic.partitions) != record.partition,
        replayed_job_id=replayed_id(record) if REPLAY in headers else None,
        earlier_fingerprint=earlier_print,
        rounded=rounded.found,
        # Anybody may write that header: it counts where the gateway wrote the others.
        sender=sender(headers.get("ce_source"), headers.get(CLIENT) if issued else None),
        from_gateway=issued,
        traceparent=well_formed(headers.get(TRACEPARENT)),
    )


def _parsed(record: Record) -> Any:
    if not record.value:
        raise BadHeaders("The value is empty")
    return parse(record.value)


def _data(event: Mapping[str, Any]) -> Any:
    if (data := data_of(event)) is None:
        raise BadHeaders("The event has no data")
    return data


def _not_valid(error: Invalid) -> Failure:
    return failure("ValidationFailed", "The command is not valid.", error.errors)


def _unreadable(record: Record, topic: TopicInfo, reason: Failure) -> UnreadableCommand:
    return UnreadableCommand(
        record,
        readable_id(record) or _derived_id(record, topic),
        topic,
        bytes_fingerprint(record),
        order_id_of_key(record),
        reason,
        replayed_job_id=replayed_id(record),
        sender=readable_sender(record),
        traceparent=traceparent_in(record.headers),
    )


def _derived_id(record: Record, topic: TopicInfo) -> str:
    """Return the job id of a record that has none: a replay keeps that of the failed job."""
    return replayed_id(record) or position_id(record, topic.topic_id)


def _check_key(record: Record, order_id: str) -> None:
    if record.key != order_id.encode():
        message = "Must equal the record's key"
        raise Invalid((FieldError(pointer="/orderId", code="KeyMismatch", message=message),))


def poison_command(record: Record, topic: TopicInfo) -> UnreadableCommand:
    """
    Return *record* as one to refuse, since applying it fails each time for an unknown reason.

    It keeps the fingerprint of the decoded command, so that a replay of it is recognised.
    """
    reason = failure("InternalError", _POISON)
    try:
        item = decode(record, topic)
    except Exception:  # noqa: BLE001  decoding may be what fails
        return _unreadable(record, topic, reason)
    return UnreadableCommand(
        record,
        item.job_id,
        topic,
        item.fingerprint,
        item.order_id,
        reason,
        replayed_job_id=item.replayed_job_id,
        sender=item.sender,
        traceparent=item.traceparent,
    )
