"""Prometheus' rule file and an example of its configuration, and Alertmanager's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from order_operations.observability.alert import Alert
from order_operations.observability.causes import MACHINES, cause_alerts
from order_operations.observability.objectives import objective_alerts, recording_rules
from order_operations.observability.symptoms import symptom_alerts
from order_operations.observability.timing import Timing


def job_of(service: str) -> str:
    """Return the name under which the processes of a service are scraped; the rules rely on it."""
    return f"ordermill-{service}"


JOBS: Final = tuple(map(job_of, (GATEWAY, WRITER, ENRICHER, TRIGGER)))
RUNBOOKS: Final = "https://example.com/ordermill/docs/runbooks"
Document = Mapping[str, Any]


def alerts(timing: Timing) -> tuple[Alert, ...]:
    """Return all alerts, causes first."""
    return (*cause_alerts(timing), *symptom_alerts(timing), *objective_alerts())


def rule_file(timing: Timing, runbooks: str = RUNBOOKS) -> Document:
    """Return the rules; *runbooks* is where docs/runbooks is served."""
    records = [{"record": name, "expr": expr} for name, expr in recording_rules(timing).items()]
    groups = {
        "ordermill-objectives": records,
        "ordermill-causes": [_rule(it, timing, runbooks) for it in cause_alerts(timing)],
        "ordermill-symptoms": [_rule(it, timing, runbooks) for it in symptom_alerts(timing)],
        "ordermill-budgets": [_rule(it, timing, runbooks) for it in objective_alerts()],
    }
    return {"groups": [{"name": name, "rules": rules} for name, rules in groups.items()]}


def _rule(alert: Alert, timing: Timing, runbooks: str) -> Document:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": timing.text(alert.for_),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "runbook_url": f"{runbooks}/{alert.section}",
        },
    }


def prometheus_config(
    targets: Mapping[str, Sequence[str]], interval: str = "15s", alertmanagers: Sequence[str] = ()
) -> Document:
    """Return a configuration that scrapes *targets*, addresses of health ports by job."""
    told = [{"static_configs": [{"targets": list(alertmanagers)}]}]
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": ["rules.yaml"],
        **({"alerting": {"alertmanagers": told}} if alertmanagers else {}),
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in targets.items()
        ],
    }


def example_targets() -> Mapping[str, Sequence[str]]:
    services = {job: [f"{job.removeprefix('ordermill-')}-1.example.com:9001"] for job in JOBS}
    return {**services, MACHINES: ["kafka-1.example.com:9100", "mongodb-1.example.com:9100"]}


def alertmanager_config(all_alerts: Sequence[Alert]) -> Document:
    """Return an example: one receiver, and causes that keep their symptoms quiet."""
    labels = {it.name: set(it.labels) for it in all_alerts}
    return {
        "route": {
            "receiver": "on-call",
            "group_by": ["alertname"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [{"matchers": ['severity="info"'], "receiver": "nobody"}],
        },
        "receivers": [{"name": "on-call"}, {"name": "nobody"}],
        "inhibit_rules": [
            _inhibition(cause, alert.name, labels[cause] & labels[alert.name])
            for alert in all_alerts
            for cause in alert.causes
        ],
    }


def _inhibition(cause: str, symptom: str, same: Collection[str]) -> Document:
    return {
        "source_matchers": [f'alertname="{cause}"'],
        "target_matchers": [f'alertname="{symptom}"'],
        **({"equal": sorted(same)} if same else {}),
    }
