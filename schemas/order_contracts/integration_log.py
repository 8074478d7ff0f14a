"""The integration log: what is wrong with the data, said where people look."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, get_args

from order_contracts.base import Message
from order_contracts.derived_ids import derived
from order_contracts.values import Time

KEPT_DAYS: Final = 90
MAX_ENTRIES: Final = 50
"""Of one job and code; the last of so many says how many more there would be."""
Severity = Literal["Warning", "Error"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)

ACTION_DROPPED: Final = "ActionDropped"


class DropReason(StrEnum):
    """Why an action is not fired."""

    ORDER_DELETED = "orderDeleted"
    ORDER_REPLACED = "orderReplaced"  # before its contact was found
    ORDER_CANCELLED = "orderCancelled"  # while the action was held
    ORDER_CHANGED = "orderChanged"  # all that releases before this one said
    REQUESTED_AGAIN = "requestedAgain"  # the same action, which is held instead
    TOO_MANY_HELD = "tooManyHeld"  # newer ones of the same order
    HOLD_WINDOW_OVER = "holdWindowOver"  # before its contact was found
    CONTACT_ERASED = "contactErased"  # one that it may have been meant for


_DROPPED_SINCE: Final = MappingProxyType(
    {
        DropReason.ORDER_DELETED: "the order was deleted",
        DropReason.ORDER_REPLACED: "the order was replaced before its contact was found",
        DropReason.ORDER_CANCELLED: "the order was cancelled before its contact was found",
        DropReason.ORDER_CHANGED: "the order moved on or the hold window closed",
        DropReason.REQUESTED_AGAIN: "the same action was requested again while it was held",
        DropReason.TOO_MANY_HELD: "too many newer actions of the order are held",
        DropReason.HOLD_WINDOW_OVER: "the order's contact was not found within the hold window",
        DropReason.CONTACT_ERASED: "the contact that it may have been meant for was erased",
    }
)
_ENTRIES: Final = MappingProxyType(
    {
        "ContactMissing": (
            "No contact matches the order's contact; its actions can't be sent.",
            "Create the contact, or correct the order's matchKey.",
        ),
        "ContactAmbiguous": (
            "Several contacts match the order's contact; none was chosen.",
            "Merge the contacts, by mergedInto, or name the contact by a key of its own.",
        ),
        "ArticleMissing": (
            "A line of the order names an article that is not known.",
            "Import the article, or correct the line's sku.",
        ),
        "StoreMissing": (
            "The order names a store that is not known.",
            "Import the store, or correct the order's externalStoreId.",
        ),
        "TotalsMismatch": (
            "The order's totals don't add up.",
            "Check how the sender computes totalPrice and subTotal.",
        ),
        "StaleChange": (
            "A change older than the order's last one was not applied.",
            "Nothing, unless the sender's clock is wrong.",
        ),
        "CommandRejected": (
            "A command could not be read or applied.",
            "See the job's errors; correct the command and send it again.",
        ),
        "IdReused": (
            "A command came under the id of another one and was not applied.",
            "Give every command an id of its own.",
        ),
        "Misrouted": (
            "A command was on another partition than its key belongs to.",
            "Set the publisher's partitioner to murmur2.",
        ),
        "ActionFailed": (
            "The automation trigger did not take the action.",
            "Look at the delivery's attempts, then replay it.",
        ),
        ACTION_DROPPED: (
            "The order's action was dropped.",
            "Trigger the action again if it is still wanted.",
        ),
    }
)
ERRORS: Final = frozenset({"CommandRejected", "IdReused", "ActionFailed"})


class LogEntry(Message):
    """One entry; derived ids make a repeat the same entry. Holds no personal data."""

    id: str
    severity: Severity
    type: Literal["Orders"] = "Orders"
    code: str
    message: str
    proposed_action: str
    order_id: str | None = None
    job_id: str
    reference: str | None = None
    reason: DropReason | None = None
    """Of ActionDropped."""
    source: str | None = None
    """Who sent the command, as its `ce_source` says."""
    client: str | None = None
    """Of a command that came over HTTP: whose API key it came with."""
    at: Time
    resolved_at: Time | None = None


def log_id(code: str, job_id: str, reference: str | None = None) -> str:
    return derived("log", code, job_id, reference or "")


def log_entry(
    code: str,
    *,
    job_id: str,
    order_id: str | None,
    at: Time,
    reference: str | None = None,
    more: int = 0,
) -> LogEntry:
    """
    Return the entry of *code* for a job; `reference` is what is missing, never personal.

    With *more* it is the last of MAX_ENTRIES: it names nothing, and says how many others there are.
    """
    message, proposed = _ENTRIES[code]
    if more:
        message = f"{message.removesuffix('.')}, and {more} more."
    return LogEntry(
        id=log_id(code, job_id, reference),
        severity="Error" if code in ERRORS else "Warning",
        code=code,
        message=message,
        proposed_action=proposed,
        order_id=order_id,
        job_id=job_id,
        reference=reference,
        at=at,
    )


def drop_entry(reason: DropReason, *, job_id: str, order_id: str, at: Time) -> LogEntry:
    """Return the entry of an action that is dropped: one a job, whatever the reason."""
    entry = log_entry(ACTION_DROPPED, job_id=job_id, order_id=order_id, at=at)
    return entry.model_copy(update={"reason": reason, "message": drop_message(reason)})


def drop_message(reason: DropReason) -> str:
    return f"The order's action was dropped: {_DROPPED_SINCE[reason]}."
