"""Each alert fires where it should, and is quiet where not: promtool evaluates the rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from order_operations.observability.prometheus import alerts
from order_operations.observability.timing import Timing
from support.builders.alert_cases import CASES, AlertCase, Series
from support.stack.doc_examples import ROOT

pytestmark = pytest.mark.tools

RULES = ROOT / "deploy" / "observability" / "prometheus" / "rules.yaml"
SEVERITIES = {alert.name: alert.severity for alert in alerts(Timing())}


def promtool(*args: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which("promtool"), "promtool is missing: apt-get install prometheus"
    return subprocess.run(["promtool", *args], capture_output=True, text=True, check=False)


def sample(case: AlertCase) -> dict[str, Any]:
    """Return the series by which Prometheus shows that an alert fires."""
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": SEVERITIES[case.alert]}
    written = ", ".join(f'{name}="{value}"' for name, value in {**labels, **case.labels}.items())
    return {"labels": f"ALERTS{{{written}}}", "value": 1}


def written(case: AlertCase, name: str, series: Series, *, fires: bool) -> dict[str, Any]:
    return {
        "name": f"{case.alert} {name}",
        "interval": "1m",
        "input_series": [{"series": it, "values": values} for it, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}',
                "eval_time": case.at,
                "exp_samples": [sample(case)] if fires else [],
            }
        ],
    }


def rules_of(case: AlertCase, expr: str | None = None) -> dict[str, Any]:
    """Return the committed rules that a case needs, to save time; its own with another *expr*."""
    rules = [it for group in yaml.safe_load(RULES.read_text())["groups"] for it in group["rules"]]
    [own] = [it for it in rules if it.get("alert") == case.alert]
    recorded = [it for it in rules if it.get("record", "none") in own["expr"]]
    changed = own if expr is None else own | {"expr": expr}
    return {"groups": [{"name": "tested", "rules": [*recorded, changed]}]}


def checked(
    folder: Path, case: AlertCase, expr: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Return what promtool says of a case."""
    tests = [
        written(case, "fires", case.firing, fires=True),
        written(case, "is quiet", case.quiet, fires=False),
        written(case, "is quiet without data", {}, fires=False),
    ]
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump(rules_of(case, expr)))
    document = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump(document))
    return promtool("test", "rules", str(file))


def test_the_labels_of_an_alert_are_those_by_which_it_is_kept_quiet() -> None:
    declared = {alert.name: set(alert.labels) for alert in alerts(Timing())}
    assert {case.alert: set(case.labels) for case in CASES} == declared


def test_the_rules_are_what_prometheus_reads() -> None:
    found = promtool("check", "rules", str(RULES))
    assert found.returncode == 0, found.stderr


def test_every_alert_has_a_case() -> None:
    assert sorted(case.alert for case in CASES) == sorted(SEVERITIES)


@pytest.mark.parametrize("case", CASES, ids=lambda it: str(it.alert))
def test_an_alert_fires_and_is_quiet(tmp_path: Path, case: AlertCase) -> None:
    found = checked(tmp_path, case)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda it: str(it.alert))
def test_a_rule_that_never_fires_is_found(tmp_path: Path, case: AlertCase) -> None:
    """And so is one that always does: the cases are not satisfied by any rule."""
    for planted in ("vector(1) < 0", "vector(1)"):
        assert checked(tmp_path, case, planted).returncode == 1


def test_an_alert_says_what_it_is_about_and_where_its_runbook_is(tmp_path: Path) -> None:
    """With the annotations as people get them."""
    series = {'ordermill_action_trigger_endpoint_enabled{endpoint="Custom"}': "0x20"}
    alert = {
        "exp_labels": {"severity": "critical", "endpoint": "Custom"},
        "exp_annotations": {
            "summary": "No webhooks are sent to the endpoint Custom: it answered 410, or an"
            " operator disabled or paused it.",
            "runbook_url": "https://example.com/ordermill/docs/runbooks/deliveries.md"
            "#endpointdisabled",
        },
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": it, "values": values} for it, values in series.items()],
        "alert_rule_test": [
            {"eval_time": "10m", "alertname": "EndpointDisabled", "exp_alerts": [alert]}
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))

    found = promtool("test", "rules", str(file))

    assert found.returncode == 0, found.stdout + found.stderr
