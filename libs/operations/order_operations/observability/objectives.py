"""
Service level objectives, and alerts on how fast their error budgets burn.

Two windows each, a long and a short one, as the SRE workbook has it: an alert comes soon where much
burns, and goes soon after it is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from order_operations.observability.alert import Alert
from order_operations.observability.causes import WEAKENED
from order_operations.observability.symptoms import ENDPOINTS, PROCESSES
from order_operations.observability.timing import HOUR, MINUTE, Timing

WINDOWS: Final = (5 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR)
_WRITES: Final = 'method=~"POST|PUT|DELETE",route!~".*/(bulk|check)"'
ACCEPT_SECONDS: Final = "1.0"
ENRICHED_SECONDS: Final = "10.0"
DELIVERED_SECONDS: Final = "30.0"


@dataclass(frozen=True, slots=True)
class Objective:
    """What share of something has to be good."""

    name: str
    record: str
    """The first part of the recording rules' names."""
    target: float
    promise: str
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Burn:
    """How many times faster than the budget allows, over which windows."""

    suffix: str
    rate: float
    long: timedelta
    short: timedelta
    severity: str


ACCEPT: Final = Objective(
    "Accept",
    "ordermill:accept_bad",
    0.999,
    "99.9 % of writes are answered within a second, and not with 5xx",
    PROCESSES,
)
WEBHOOK: Final = Objective(
    "OrderToWebhook",
    "ordermill:order_to_webhook_bad",
    0.99,
    "99 % of orders are enriched within 10 s, and of actions delivered within 30 s",
    ENDPOINTS,
)
FAST: Final = Burn("BurnsFast", 14.4, HOUR, 5 * MINUTE, "critical")
SLOW: Final = Burn("BurnsSlowly", 6, 6 * HOUR, 30 * MINUTE, "warning")


def recording_rules(timing: Timing) -> dict[str, str]:
    """Return the expressions of the recorded series, by name."""
    found: dict[str, str] = {}
    for window in WINDOWS:
        text = timing.text(window)
        found[_record(ACCEPT, window)] = _accept_bad(text)
        found[_record(WEBHOOK, window)] = _webhook_bad(text)
    return found


def objective_alerts() -> tuple[Alert, ...]:
    return tuple(_alert(it, burn) for it in (ACCEPT, WEBHOOK) for burn in (FAST, SLOW))


def _alert(objective: Objective, burn: Burn) -> Alert:
    limit = round(burn.rate * (1 - objective.target), 6)
    windows = (burn.long, burn.short)
    expr = " and ".join(f"{_record(objective, it)} > {limit:g}" for it in windows)
    fast = f"{objective.name}{FAST.suffix}"
    return Alert(
        name=f"{objective.name}{burn.suffix}",
        runbook="objectives",
        expr=expr,
        severity="critical" if burn is FAST else "warning",
        summary=f"The promise that {objective.promise} is broken {burn.rate:g} times faster than"
        " its budget allows.",
        for_=2 * MINUTE,
        causes=objective.causes if burn is FAST else (*objective.causes, *WEAKENED, fast),
    )


def _record(objective: Objective, window: timedelta) -> str:
    """Return a name that says the window in production, whatever the scale."""
    return f"{objective.record}:ratio_rate{Timing().text(window)}"


def _bad(good: str, total: str) -> str:
    """Return the share that isn't good; 0 where there was nothing."""
    return f"(clamp_min(1 - ({good}) / (({total}) > 0), 0) or vector(0))"


def _accept_bad(window: str) -> str:
    metric = "ordermill_gateway_request_seconds"
    served = f'{_WRITES},outcome=~"2xx|4xx",le="{ACCEPT_SECONDS}"'
    return _bad(
        f"sum(rate({metric}_bucket{{{served}}}[{window}]))",
        f'sum(rate({metric}_count{{{_WRITES},outcome!="waited"}}[{window}]))',
    )


def _webhook_bad(window: str) -> str:
    """
    Return the shares of both parts, added: an upper bound, in which held actions don't count.

    An action counts when it is first tried: when a retry arrives hours later, that is no news.
    """
    enriched, delivered = (
        "ordermill_enricher_enriched_seconds",
        "ordermill_action_trigger_delivered_seconds",
    )
    tried = "ordermill_action_trigger_first_attempts_total"
    first = _bad(
        f'sum(rate({enriched}_bucket{{le="{ENRICHED_SECONDS}"}}[{window}]))',
        f"sum(rate({enriched}_count[{window}]))",
    )
    second = _bad(
        f'sum(rate({delivered}_bucket{{le="{DELIVERED_SECONDS}"}}[{window}]))',
        f"sum(rate({tried}[{window}]))",
    )
    return f"{first} + {second}"
