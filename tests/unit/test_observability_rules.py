"""The rules and dashboards name metrics that there are, and alerts and sections that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import REGISTRY

from order_operations.observability.export import rendered, stale, write
from order_operations.observability.grafana import dashboards
from order_operations.observability.objectives import recording_rules
from order_operations.observability.prometheus import alertmanager_config, alerts, rule_file
from order_operations.observability.timing import HOUR, MINUTE, Timing
from order_stack.cli.main import app
from support.faults.planted_failures import FAILURES, PlantedFailure
from support.stack.doc_examples import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
COMMITTED = ROOT / "deploy" / "observability"
MODULES = (
    "order_runtime.observability.metrics",
    *(f"{it}.metrics" for it in ("gateway", "order_writer", "enricher", "action_trigger")),
)
SAMPLE = re.compile(r"\bordermill_\w+")
ALERTS = alerts(Timing())
PARTS = ("What it means", "How to see it", "What to do", "How to know that it is over")


def samples() -> set[str]:
    """Return the names of all series that services may export."""
    for module in MODULES:
        import_module(module)
    names = set()
    for metric in REGISTRY.collect():
        names |= {f"{metric.name}_total"} if metric.type == "counter" else set()
        names |= {metric.name} if metric.type == "gauge" else set()
        if metric.type == "histogram":
            names |= {f"{metric.name}_{end}" for end in ("bucket", "count", "sum")}
    return names


def unknown(exprs: Iterator[str]) -> set[str]:
    return {name for expr in exprs for name in SAMPLE.findall(expr)} - samples()


def test_alerts_and_records_are_about_metrics_that_there_are() -> None:
    assert unknown(iter(recording_rules(Timing()).values())) == set()
    recorded = {name for alert in ALERTS for name in re.findall(r"ordermill:\w+:\w+", alert.expr)}
    assert recorded <= set(recording_rules(Timing()))
    assert unknown(re.sub(r"ordermill:\w+:\w+", "", alert.expr) for alert in ALERTS) == set()


def test_panels_are_about_metrics_that_there_are() -> None:
    panels = [panel for dashboard in dashboards() for panel in dashboard.panels]
    exprs = [query.expr for panel in panels for query in panel.queries]
    assert unknown(re.sub(r"ordermill:\w+:\w+", "", expr) for expr in exprs) == set()


def test_a_metric_that_there_isnt_is_found() -> None:
    assert unknown(iter(["rate(ordermill_gateway_accepted[5m])"])), "a counter ends in _total"
    assert unknown(iter(["max(ordermill_planted_total)"]))


def test_every_metric_is_in_a_panel_or_an_alert() -> None:
    """Else nobody looks at it; those that explain another one in depth are left out."""
    panels = [panel for dashboard in dashboards() for panel in dashboard.panels]
    shown = {query.expr for panel in panels for query in panel.queries}
    recorded = recording_rules(Timing()).values()
    text = " ".join([*shown, *(alert.expr for alert in ALERTS), *recorded])
    ours = {it.name for it in REGISTRY.collect() if it.name.startswith("ordermill_")}
    unseen = {name for name in ours if name not in text}
    assert unseen == {
        "ordermill_dependency_changed_timestamp_seconds",  # in the bodies of probes, too
        "ordermill_enricher_field_faults",
        "ordermill_enricher_healed",
        "ordermill_enricher_retries",
        "ordermill_action_trigger_record_actions",
        "ordermill_action_trigger_unreadable",  # of the dead letters a part
    }


@pytest.mark.parametrize("failure", FAILURES, ids=lambda it: it.name)
def test_a_panel_shows_what_a_drill_plants(failure: PlantedFailure) -> None:
    (expr,) = [it.expr for it in ALERTS if it.name == failure.alert]
    panels = [panel for dashboard in dashboards() for panel in dashboard.panels]
    shown = " ".join(query.expr for panel in panels for query in panel.queries)
    about = set(re.findall(r"\b(?:ordermill|node)_\w+|\bup\b", expr))
    assert about
    assert {it for it in about if it in shown} == about


def test_names_are_unique_and_causes_are_alerts() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    assert {cause for alert in ALERTS for cause in alert.causes} <= set(names)
    assert [it.name for it in ALERTS if it.name in it.causes] == []
    uids = [it.uid for it in dashboards()]
    assert len(set(uids)) == len(uids)


def test_no_alert_silences_another_one_in_a_circle() -> None:
    causes = {alert.name: alert.causes for alert in ALERTS}

    def behind(name: str, path: tuple[str, ...] = ()) -> None:
        assert name not in path, path
        for cause in causes[name]:
            behind(cause, (*path, name))

    for name in causes:
        behind(name)


def test_alertmanager_keeps_every_symptom_quiet_while_its_cause_fires() -> None:
    rules = alertmanager_config(ALERTS)["inhibit_rules"]
    told = {(it["source_matchers"][0], it["target_matchers"][0]) for it in rules}
    assert told == {
        (f'alertname="{cause}"', f'alertname="{alert.name}"')
        for alert in ALERTS
        for cause in alert.causes
    }


def test_a_drill_has_the_same_rules_with_shorter_times() -> None:
    assert [Timing().text(it) for it in (MINUTE / 2, MINUTE, HOUR)] == ["30s", "1m", "1h"]
    assert [Timing(0.02).text(it) for it in (MINUTE / 2, 5 * MINUTE, HOUR)] == ["1s", "6s", "72s"]

    usual, drill = rule_file(Timing()), rule_file(Timing(0.02))

    def names(document: object) -> list[str]:
        return re.findall(r"'(?:alert|record)': '([\w:]+)'", str(document))

    assert names(usual) == names(drill)
    assert "[5m]" in str(usual)
    assert "[5m]" not in str(drill)


def test_a_file_that_is_not_current_is_found(tmp_path: Path) -> None:
    write(tmp_path, rendered(Timing()))
    assert stale(tmp_path, rendered(Timing())) == []
    assert stale(COMMITTED, rendered(Timing())) == []
    (tmp_path / "alertmanager.yaml").write_text("route: {}")
    (tmp_path / "grafana" / "ordermill-old.json").write_text("{}")
    (tmp_path / "grafana" / "ordermill-gateway.json").unlink()
    assert [str(it) for it in stale(tmp_path, rendered(Timing()))] == [
        "alertmanager.yaml",
        "grafana/ordermill-gateway.json",
        "grafana/ordermill-old.json",
    ]


def sections(text: str) -> dict[str, str]:
    """Return the sections of a runbook by their titles."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {part.partition("\n")[0].strip(): part for part in parts}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda it: str(it.name))
def test_every_alert_has_its_section(alert: object) -> None:
    assert hasattr(alert, "runbook")
    assert hasattr(alert, "name")
    section = sections((RUNBOOKS / f"{alert.runbook}.md").read_text())[alert.name]
    assert [part for part in PARTS if f"**{part}.**" not in section] == []


def test_every_section_has_its_alert() -> None:
    files = [path for path in RUNBOOKS.glob("*.md") if path.stem != "loss"]  # no alert leads there
    found = {name for path in files for name in sections(path.read_text())}
    assert found == {alert.name for alert in ALERTS}


def commands(text: str) -> list[str]:
    """Return the `orders …` commands of a document, from its code."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(orders .*)$", text, re.MULTILINE)
    return sorted({it for it in code if it.startswith("orders ")})


def fault_of(line: str) -> str | None:
    """Return what is wrong with a command: it isn't there, or has no such option."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"{line}: there is no {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    known = {option for it in command.params for option in (*it.opts, *it.secondary_opts)}
    wrong = [it for it in words if it.startswith("-") and it.partition("=")[0] not in known]
    return f"{line}: {wrong}" if wrong else None


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda it: str(it.stem))
def test_the_commands_of_a_runbook_are_there(path: Path) -> None:
    assert [fault for it in commands(path.read_text()) if (fault := fault_of(it))] == []


@pytest.mark.parametrize("wrong", ["orders lack", "orders dlq mend", "orders status --colour"])
def test_a_command_that_isnt_there_is_found(wrong: str) -> None:
    assert fault_of(wrong)
