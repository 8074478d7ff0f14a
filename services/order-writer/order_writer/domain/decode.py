"""From a record to a command, or to the reason why it is none. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from order_contracts.cloudevents import (
    SUPPRESS,
    UNGUARDED,
    BadHeaders,
    DeleteGuard,
    command_type,
    read_headers,
)
from order_contracts.commands import COMMANDS, Command, DeleteOrder
from order_contracts.decoding import Invalid, parse, read
from order_contracts.errors import Failure, FieldError, failure
from order_contracts.job import Operation
from order_contracts.topics import GATEWAY
from order_runtime.documents.fingerprints import fingerprint
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.records import Record
from order_writer.domain.record_ids import (
    bytes_fingerprint,
    chosen_id,
    exceeds_topic_limit,
    position_id,
    readable_id,
    replayed_id,
)

_MEANT: Final = ("ce_registration", "ce_contactsince")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_TOO_LARGE: Final = "The command is larger than 1 MiB before it is compressed."
_OPERATIONS: Final = {kind: Operation(kind.partition(".")[0]) for kind in COMMANDS}


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """What must be known of `orders.commands` to read its records."""

    topic_id: str
    partitions: int
    issued: Callable[[str], bool]
    """Whether a job id is one that our gateway issued."""


@dataclass(frozen=True, slots=True)
class DecodedCommand:
    """A command that can be decided."""

    record: Record
    job_id: str
    log: TopicInfo
    fingerprint: str
    order_id: str
    operation: Operation
    command: Command
    if_match: str | None = None
    idempotency_key: str | None = None
    suppress_actions: bool = False
    guard: DeleteGuard = UNGUARDED
    misrouted: bool = False
    replays: str | None = None
    """The job that failed with this very record, as who sends a dead letter again says."""

    @property
    def fallback_job_id(self) -> str:
        """The id of the position: the job's where `job_id` turns out to be another command's."""
        return position_id(self.record, self.log.topic_id)

    @property
    def raw(self) -> str:
        """The fingerprint of the bytes, by which a record that could not be read is known."""
        return bytes_fingerprint(self.record)


@dataclass(frozen=True, slots=True)
class UnreadableCommand:
    """A record that is no valid command; it gets a job all the same, and a dead letter."""

    record: Record
    job_id: str
    log: TopicInfo
    fingerprint: str
    order_id: str | None
    failure: Failure
    own: bool = False
    """Whether it came under an id that our gateway issued, and says that it is the gateway's."""
    replays: str | None = None
    blind: bool = False
    """Whether its order must be left unread: the order's document may be what makes it fail."""

    @property
    def fallback_job_id(self) -> str:
        return position_id(self.record, self.log.topic_id)

    @property
    def raw(self) -> str:
        return bytes_fingerprint(self.record)


def decode(record: Record, log: TopicInfo) -> DecodedCommand | UnreadableCommand:
    """Read one record; what is no command is a value too."""
    job_id, source = readable_id(record), None
    if exceeds_topic_limit(record):
        return _unreadable(record, job_id, log, failure("TooLarge", _TOO_LARGE))
    try:
        headers = read_headers(record.headers)
        source = headers.get("ce_source")
        return _command(record, headers, chosen_id(headers) or _id_of(record, log), log)
    except BadHeaders as error:
        reason = failure("ValidationFailed", str(error))
    except Invalid as error:
        reason = failure("ValidationFailed", "The command is not valid.", error.errors)
    own = source == f"/{GATEWAY}" and job_id is not None and log.issued(job_id)
    return replace(_unreadable(record, job_id, log, reason), own=own)


def _command(
    record: Record, headers: Mapping[str, str], job_id: str, log: TopicInfo
) -> DecodedCommand:
    kind = command_type(headers)
    if kind not in _OPERATIONS:
        raise BadHeaders(_no_command(kind))
    if not record.value:
        raise BadHeaders("The value is empty")
    value = parse(record.value)
    own = log.issued(job_id)
    # Our gateway has checked the times by its own clock, and has answered 202.
    command = read(COMMANDS[kind], value, now=None if own else record.at)
    _check_key(record, command.order_id)
    if_match = headers.get("ce_ifmatch")
    suppress = _suppress(headers)
    guard = _meant(headers, command)
    return DecodedCommand(
        record=record,
        job_id=job_id,
        log=log,
        fingerprint=fingerprint(kind, value, if_match, suppress=suppress, guard=guard),
        order_id=command.order_id,
        operation=_OPERATIONS[kind],
        command=command,
        if_match=if_match,
        idempotency_key=_idempotency_key(headers),
        suppress_actions=suppress,
        guard=guard,
        misrouted=not own and _misrouted(record, log.partitions),
        replays=replayed_id(record),
    )


def _no_command(kind: str) -> str:
    name = kind.partition(".")[0]
    read_here = [known for known in COMMANDS if known.partition(".")[0] == name]
    if read_here:
        return f"The header ce_type names a version that is not read here: send {read_here[-1]}"
    return "The header ce_type names no command of this system"


def _unreadable(
    record: Record, job_id: str | None, log: TopicInfo, reason: Failure
) -> UnreadableCommand:
    return UnreadableCommand(
        record,
        job_id or _id_of(record, log),
        log,
        bytes_fingerprint(record),
        _key(record),
        reason,
        replays=replayed_id(record),
    )


def _id_of(record: Record, log: TopicInfo) -> str:
    """Return the job id of a record whose sender gave none: a replay keeps the one it had."""
    return replayed_id(record) or position_id(record, log.topic_id)


def _suppress(headers: Mapping[str, str]) -> bool:
    """Return whether actions are suppressed; a slip must not send mails for an import."""
    actions = headers.get("ce_actions")
    if actions not in {None, SUPPRESS}:
        raise BadHeaders(f"The header ce_actions must be {SUPPRESS}, or be absent")
    return actions is not None


def _meant(headers: Mapping[str, str], command: Command) -> DeleteGuard:
    """Return which order is meant; on a command that ignored it, it would be a trap."""
    named = [name for name in _MEANT if name in headers]
    if not named:
        return UNGUARDED
    if not isinstance(command, DeleteOrder):
        raise BadHeaders(f"The header {named[0]} is for DeleteOrder alone")
    since = headers.get("ce_contactsince")
    if since is not None and not _VERSION.fullmatch(since):
        raise BadHeaders("The header ce_contactsince must be a version, such as 3")
    return DeleteGuard(headers.get("ce_registration"), None if since is None else int(since))


def _idempotency_key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("ce_idempotencykey")
    if key is not None and not 0 < len(key) <= 255:
        raise BadHeaders("The header ce_idempotencykey must have 1 to 255 characters")
    return key


def _check_key(record: Record, order_id: str) -> None:
    if record.key != order_id.encode():
        message = "Must equal the record's key"
        raise Invalid((FieldError(pointer="/orderId", code="KeyMismatch", message=message),))


def _key(record: Record) -> str | None:
    """Return the key as text, as far as it could be an orderId."""
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        return None
    return key if 0 < len(key) <= 255 else None


def _misrouted(record: Record, partitions: int) -> bool:
    return partition_of(record.key or b"", partitions) != record.partition


def record_size(record: Record) -> int:
    """Return the bytes that a record adds to its batch."""
    return len(record.value or b"")


def poison_command(record: Record, log: TopicInfo) -> UnreadableCommand:
    """
    Return *record* as one that fails alone, again and again, for a reason nobody knows.

    It keeps the fingerprint that it decodes to, so that a replay recognises it.
    """
    reason = failure("InternalError", "The command could not be applied; it is a dead letter.")
    try:
        item = decode(record, log)
    except Exception:  # noqa: BLE001  to decode it may be what fails
        return _unreadable(record, readable_id(record), log, reason)
    return UnreadableCommand(
        record,
        item.job_id,
        log,
        item.fingerprint,
        item.order_id or _key(record),
        reason,
        replays=item.replays,
    )
