"""What an error means for a batch: wait for MongoDB, retry, or look for the record at fault."""

from __future__ import annotations

from enum import Enum, auto

from pymongo.errors import (
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from order_runtime.mongo.errors import DUPLICATE_KEY, WRITE_CONFLICT
from order_runtime.process.retry import transient


class FailureKind(Enum):
    AWAY = auto()  # MongoDB is unreachable, or has no primary: wait for it
    SLOW = auto()  # MongoDB didn't answer in time: a smaller batch may succeed
    CONFLICT = auto()  # another transaction was first: read the ledger again
    OTHER = auto()  # a record, or this service, is at fault


def failure_kind(error: Exception) -> FailureKind:
    """Return the kind of *error*; errors that aren't MongoDB's are OTHER."""
    if not isinstance(error, PyMongoError):
        return FailureKind.OTHER
    if transient(error):
        slow = error.timeout and not isinstance(error, ServerSelectionTimeoutError)
        return FailureKind.SLOW if slow else FailureKind.AWAY
    if _is_conflict(error):
        return FailureKind.CONFLICT
    return FailureKind.OTHER


def _is_conflict(error: PyMongoError) -> bool:
    if isinstance(error, DuplicateKeyError) or error.has_error_label("TransientTransactionError"):
        return True
    if not isinstance(error, OperationFailure):
        return False
    details = error.details or {}
    codes = {error.code, *(row.get("code") for row in details.get("writeErrors", ()))}
    return bool(codes & {WRITE_CONFLICT, DUPLICATE_KEY})
