"""Alerts about symptoms: work waits, is refused, or is set aside."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from order_operations.observability.alert import Alert
from order_operations.observability.causes import (
    BACKENDS,
    CIRCUIT_OPEN,
    ENDPOINT_DISABLED,
    LOOP_STALLED,
    SERVICE_DOWN,
    WEAKENED,
)
from order_operations.observability.timing import HOUR, MINUTE, Timing

PROCESSES: Final = (*BACKENDS, SERVICE_DOWN, LOOP_STALLED)
ENDPOINTS: Final = (*PROCESSES, ENDPOINT_DISABLED, CIRCUIT_OPEN)
AT_ONCE: Final = timedelta(seconds=1)
LATE: Final = timedelta(minutes=1)
VERY_LATE: Final = timedelta(minutes=15)


def symptom_alerts(timing: Timing) -> tuple[Alert, ...]:
    return (*_waiting(timing), *_refused(timing), *_set_aside(timing), *_data(timing))


def _waiting(timing: Timing) -> tuple[Alert, ...]:
    lag = "max by (job, group, topic) (ordermill_consumer_lag_seconds)"
    return (
        Alert(
            name="ConsumerLate",
            runbook="consumers",
            expr=f"{lag} > {timing.seconds(LATE):g}",
            labels=("job", "group", "topic"),
            severity="warning",
            summary="The {{ $labels.group }} has not processed records of {{ $labels.topic }} that"
            " are {{ $value | humanizeDuration }} old.",
            for_=2 * MINUTE,
            causes=(*PROCESSES, *WEAKENED, "ConsumerVeryLate"),
        ),
        Alert(
            name="ConsumerVeryLate",
            runbook="consumers",
            expr=f"{lag} > {timing.seconds(VERY_LATE):g}",
            labels=("job", "group", "topic"),
            severity="critical",
            summary="The {{ $labels.group }} is {{ $value | humanizeDuration }} behind on"
            " {{ $labels.topic }}.",
            for_=2 * MINUTE,
            causes=PROCESSES,
        ),
        Alert(
            name="DeliveriesOverdue",
            runbook="deliveries",
            expr="max(ordermill_action_trigger_overdue_deliveries) > 0",
            severity="critical",
            summary="{{ $value }} deliveries are due and aren't sent.",
            for_=2 * MINUTE,
            causes=ENDPOINTS,
        ),
        Alert(
            name="DeliveryPendingForLong",
            runbook="deliveries",
            expr="max(ordermill_action_trigger_oldest_pending_seconds)"
            f" > {timing.seconds(6 * HOUR):g}",
            severity="warning",
            summary="A delivery has been tried for {{ $value | humanizeDuration }}; after 75 hours"
            " it is given up.",
            causes=ENDPOINTS,
        ),
        Alert(
            name="HealingLate",
            runbook="consumers",
            expr="max(ordermill_enricher_healing_oldest_seconds)"
            f" > {timing.seconds(30 * MINUTE):g}",
            severity="warning",
            summary="A change of reference data waits for {{ $value | humanizeDuration }} for the"
            " orders that it affects.",
            for_=5 * MINUTE,
            causes=PROCESSES,
        ),
        Alert(
            name="HeldActionsEnd",
            runbook="data",
            expr=f"max(ordermill_enricher_held_oldest_seconds) > {timing.seconds(20 * HOUR):g}",
            severity="warning",
            summary="Actions are about to be dropped, as their order's contact has been missing for"
            " {{ $value | humanizeDuration }}.",
            for_=5 * MINUTE,
        ),
    )


def _refused(timing: Timing) -> tuple[Alert, ...]:
    window = timing.text(5 * MINUTE)

    def refused(code: str) -> str:
        return f'sum(rate(ordermill_gateway_refused_total{{code="{code}"}}[{window}]))'

    return (
        Alert(
            name="UnknownKeys",
            runbook="clients",
            expr=f"{refused('Unauthorized')} > 0.05",
            severity="warning",
            summary="Requests come with a key that is revoked or unknown; the access log names"
            " whose a revoked one was.",
            for_=5 * MINUTE,
        ),
        Alert(
            name="GatewayOverloaded",
            runbook="clients",
            expr=f"{refused('Overloaded')} > 0",
            severity="warning",
            summary="Gateways refuse requests, as their memory or connections are used up.",
            for_=5 * MINUTE,
        ),
        Alert(
            name="AccessLogLost",
            runbook="clients",
            expr=f"sum(increase(ordermill_gateway_log_lines_lost_total[{window}])) > 0",
            severity="warning",
            summary="Nobody reads the gateways' logs: lines are lost.",
            for_=AT_ONCE,
        ),
    )


def _set_aside(timing: Timing) -> tuple[Alert, ...]:
    window = timing.text(15 * MINUTE)
    return (
        Alert(
            name="DeadLetters",
            runbook="dead-letters",
            expr=f"sum by (topic, code) (increase(ordermill_dead_letters_total[{window}])) > 0",
            labels=("topic", "code"),
            severity="warning",
            summary="Records of {{ $labels.topic }} became dead letters: {{ $labels.code }}.",
            for_=AT_ONCE,
        ),
        Alert(
            name="RecordsFailAlone",
            runbook="dead-letters",
            expr="max(ordermill_writer_suspects) > 0",
            severity="critical",
            summary="The order-writer holds records that fail for a reason nobody knows.",
            for_=5 * MINUTE,
            causes=BACKENDS,
        ),
        Alert(
            name="DocumentsUnreadable",
            runbook="dead-letters",
            expr="sum by (collection)"
            f" (increase(ordermill_unreadable_documents_total[{window}])) > 0",
            labels=("collection",),
            severity="warning",
            summary="Documents of {{ $labels.collection }} can't be read.",
            for_=AT_ONCE,
        ),
        Alert(
            name="SweepRepairs",
            runbook="consumers",
            expr=f"sum by (what) (increase(ordermill_enricher_repaired_total[{window}])) > 0",
            labels=("what",),
            severity="warning",
            summary="The sweep repaired what a stream should have done: {{ $labels.what }}.",
            for_=AT_ONCE,
        ),
        Alert(
            name="OrdersPassedOver",
            runbook="privacy",
            expr=f"sum(increase(ordermill_enricher_passed_over_total[{window}])) > 0",
            severity="warning",
            summary="Orders were not reconciled, or not erased with their contact.",
            for_=AT_ONCE,
        ),
    )


def _data(timing: Timing) -> tuple[Alert, ...]:
    window = timing.text(10 * MINUTE)
    outcomes = f"increase(ordermill_enricher_outcomes_total[{window}])"
    missing = f'increase(ordermill_enricher_outcomes_total{{state="contactMissing"}}[{window}])'
    return (
        Alert(
            name="ContactsMissing",
            runbook="data",
            expr=f"sum({missing}) > 10 and sum({missing}) / sum({outcomes}) > 0.5",
            severity="warning",
            summary="Most of the new orders have no contact: contacts don't come in, or under other"
            " keys.",
            for_=5 * MINUTE,
        ),
        Alert(
            name="CommandsMisrouted",
            runbook="data",
            expr=f"sum(increase(ordermill_writer_misrouted_total[{window}])) > 0",
            severity="warning",
            summary="A publisher's partitioner is not murmur2: commands of one order may change"
            " places.",
            for_=AT_ONCE,
        ),
    )
