"""What an endpoint's response leads to: delivered, retried by a schedule, failed, or disabled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

SCHEDULE: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""The delay before each attempt, counted from the one before: 75 h in all, as the specification
advises."""
RETRY_PERIOD: Final = timedelta(hours=75)
"""No attempt is made later than this after a delivery's schedule began."""
GIVEN_UP: Final = (
    f"No success in {RETRY_PERIOD // timedelta(hours=1)} hours: the endpoint takes nothing."
)
"""The reason of a delivery that ends at its deadline without another attempt."""
JITTER: Final = 0.1  # of an interval, to either side, so that retries of one moment spread
MAX_RETRY_AFTER: Final = timedelta(hours=24)  # a longer Retry-After is cut to this


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    retry_after: str | None = None
    """The header as it was received."""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The request timed out, or the connection failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """The endpoint answered that it is gone (410): the delivery waits until it is enabled again."""


AttemptOutcome = Delivered | Retry | Failed | Disabled


def retry_deadline(started_at: datetime, endpoint_changed_at: datetime) -> datetime:
    """
    Return when the last attempt may be made.

    The retry period begins with the delivery's schedule, or when its endpoint was last enabled.
    """
    return max(started_at, endpoint_changed_at) + RETRY_PERIOD


def is_retryable(status: int) -> bool:
    """Return whether a response is neither a success nor a permanent refusal."""
    return status == 429 or not (200 <= status < 300 or 400 <= status < 500)


def is_alive(response: Response | NoResponse) -> bool:
    """Return whether the endpoint works: it accepted or refused the webhook."""
    return isinstance(response, Response) and not is_retryable(response.status)


def attempt_outcome(
    response: Response | NoResponse,
    *,
    attempt: int,
    deadline: datetime,
    now: datetime,
    random: float,
) -> AttemptOutcome:
    """
    Return the outcome of attempt number *attempt*; the first is 1.

    No retry is later than *deadline*. *random* in [0, 1) chooses the jitter.
    """
    if isinstance(response, Response) and not is_retryable(response.status):
        if response.status < 300:
            return Delivered()
        if response.status == 410:
            return Disabled()
        return Failed(f"The endpoint answered {response.status}.")
    if attempt >= len(SCHEDULE) or now >= deadline:
        return Failed(f"No success in {attempt} attempts: {_described(response)}.")
    interval = SCHEDULE[attempt] * (1 + JITTER * (2 * random - 1))
    return Retry(min(now + max(interval, _retry_after(response, now)), deadline))


def _described(response: Response | NoResponse) -> str:
    if isinstance(response, NoResponse):
        return f"the endpoint did not answer ({response.reason})"
    return f"the endpoint answered {response.status}"


def _retry_after(response: Response | NoResponse, now: datetime) -> timedelta:
    """Return the delay that a Retry-After, in seconds or as a date, asks for; 0 without one."""
    header = response.retry_after if isinstance(response, Response) else None
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        # Nine digits exceed the bound already, and more could exceed what a timedelta holds.
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return timedelta()
    if date.tzinfo is None:  # in RFC 5322, `-0000` is UTC at an unknown place
        date = date.replace(tzinfo=UTC)
    return min(max(date - now, timedelta()), MAX_RETRY_AFTER)
