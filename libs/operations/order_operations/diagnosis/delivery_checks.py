"""Findings about webhooks: endpoints that are shut or fail, what waits, what failed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from order_operations.deliveries.endpoint_view import Endpoint
from order_operations.diagnosis.facts import Facts
from order_operations.diagnosis.finding import (
    BACKENDS,
    ENDPOINTS,
    PROCESSES,
    SETUP,
    Code,
    Finding,
    Severity,
)
from order_operations.diagnosis.process_checks import alive
from order_operations.diagnosis.wording import counted, lasting, listed
from order_runtime.documents.deliveries import ENABLED, PAUSED

DELIVERIES_LATE: Final = timedelta(hours=6)
GONE: Final = "410"  # who shut an endpoint: its own answer


def endpoints(facts: Facts) -> Iterator[Finding]:
    """Endpoints that are shut, or don't take what they are sent."""
    workers = {it.name for it in alive(facts)}
    for it in facts.endpoints:
        if it.state != ENABLED:
            yield _shut(it)
        elif _fails(it, facts, workers):
            yield _failing(it, is_open=bool(workers & set(it.circuit_workers)))


def _fails(endpoint: Endpoint, facts: Facts, workers: set[str]) -> bool:
    """
    Return whether a worker that lives only probes it, or it failed last and something waits.

    A worker that was killed leaves its open circuit behind.
    """
    if workers & set(endpoint.circuit_workers):
        return True
    if endpoint.last_answer_at is None or not endpoint.waiting:
        return False
    taken = endpoint.last_status is not None and 200 <= endpoint.last_status < 300
    return endpoint.last_answer_at >= facts.since and not taken


def _shut(endpoint: Endpoint) -> Finding:
    gone = endpoint.by == GONE
    opens = "resume" if endpoint.state == PAUSED else "enable"
    why = "since it answered 410 Gone" if gone else "by an operator"
    return Finding(
        Code.ENDPOINT_SHUT,
        Severity.CRITICAL if gone else Severity.WARNING,
        f"The endpoint {endpoint.endpoint} ({endpoint.host}) is {endpoint.state}, {why};"
        f" {_waiting(endpoint)}.",
        f"Nothing is sent there: {listed(endpoint.actions)}.",
        f"Once it takes webhooks, `orders deliveries {opens} {endpoint.endpoint}`.",
        subject=endpoint.endpoint,
        since=endpoint.since,
    )


def _failing(endpoint: Endpoint, *, is_open: bool) -> Finding:
    probed = ", and it is only probed" if is_open else ""
    return Finding(
        Code.ENDPOINT_FAILS,
        Severity.CRITICAL,
        f"The endpoint {endpoint.endpoint} ({endpoint.host})"
        f" {_answer(endpoint.last_status, endpoint.last_reason)}; {_waiting(endpoint)}{probed}.",
        "Its deliveries are tried again for up to 75 hours, then they fail.",
        "Mend the receiver: the deliveries go on by themselves. `orders deliveries endpoints` shows"
        " them; see docs/runbooks/deliveries.md.",
        subject=endpoint.endpoint,
        since=endpoint.circuit_since,
    )


def actions(facts: Facts) -> Iterator[Finding]:
    """Actions that failed for good lately."""
    counts = {it.code: it for it in facts.log_counts}
    if found := counts.get("ActionFailed"):
        ago = lasting((facts.at - facts.since).total_seconds())
        yield Finding(
            Code.ACTIONS_FAILED,
            Severity.WARNING,
            f"Actions failed for good: {counted(found.count, 'action')} in the last {ago}.",
            "The automation trigger doesn't learn of them.",
            "`orders deliveries list --state failed` has each answer; `orders deliveries replay`"
            " sends them again.",
            causes=ENDPOINTS,
        )


def deliveries(facts: Facts) -> Iterator[Finding]:
    """Deliveries that wait for longer than an outage should last."""
    for it in facts.endpoints:
        if it.oldest_waiting_at is None:
            continue
        waits = facts.at - it.oldest_waiting_at
        if waits > DELIVERIES_LATE:
            yield Finding(
                Code.DELIVERIES_LATE,
                Severity.WARNING,
                f"A delivery to the endpoint {it.endpoint} has waited for"
                f" {lasting(waits.total_seconds())}.",
                "After 75 hours it is given up.",
                f"`orders deliveries show {it.oldest_waiting}` has what it met.",
                subject=it.endpoint,
                since=it.oldest_waiting_at,
                causes=BACKENDS | SETUP | PROCESSES | ENDPOINTS,
            )


def _waiting(endpoint: Endpoint) -> str:
    return "1 delivery waits" if endpoint.waiting == 1 else f"{endpoint.waiting} deliveries wait"


def _answer(status: int | None, reason: str | None) -> str:
    if status is not None:
        return f"answers {status}"
    if reason == "timeout":
        return "doesn't answer in time"
    return f"gives no answer ({reason or 'unknown'})"
