"""
A real Prometheus scrapes the running stack under load: every panel and every rule has data.

A query that names a metric or a label that isn't there is empty, and nobody would notice.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit

import httpx
import pytest

from order_contracts.topics import COMMANDS, CONTACTS, GATEWAY
from order_operations.observability.causes import MACHINES
from order_operations.observability.grafana import dashboards
from order_operations.observability.objectives import recording_rules
from order_operations.observability.panel import Dashboard, Query
from order_operations.observability.prometheus import alerts, job_of
from order_runtime.kafka.records import Outgoing
from support.builders.bodies import contact_body, matching, order_body, unique
from support.builders.certificates import certificate_files
from support.harness.node_exporter import node_exporter
from support.harness.prometheus_server import DRILL, PrometheusServer, prometheus_server
from support.stack.api_client import ApiClient
from support.stack.extra_gateway import extra_gateway
from support.stack.kafka_records import publish_outgoing
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

ACTION = {"action": "ConfirmOrder"}
MOVING = (
    "ordermill_gateway_accepted_total",
    "ordermill_gateway_refused_total",
    "ordermill_gateway_request_seconds_count",
    "ordermill_gateway_queries_total",
    "ordermill_writer_commands_total",
    "ordermill_writer_stored_seconds_count",
    "ordermill_writer_ledger_hits_total",
    "ordermill_enricher_events_total",
    "ordermill_enricher_outcomes_total",
    "ordermill_enricher_enriched_seconds_count",
    "ordermill_enricher_actions_total",
    "ordermill_action_trigger_recorded_total",
    "ordermill_action_trigger_attempts_total",
    "ordermill_action_trigger_delivered_seconds_count",
    "ordermill_action_trigger_announced_total",
    "ordermill_dead_letters_total",
)
QUIET = {"DeadLetters", "ContactsMissing", "UnknownKeys", "CertificateEnds", "CertificateEndsSoon"}
"""Alerts that the load asks for; certificates of tests end within days."""
OF_THIS_MACHINE = {"DiskFills"}


@contextmanager
def load(stack: RunningStack) -> Iterator[None]:
    """Send requests of every kind while the block runs."""
    contact = contact_body()
    value = json.dumps(contact).encode()
    publish_outgoing(stack.kafka, [Outgoing(CONTACTS.name, contact["contactId"].encode(), value)])
    stop = threading.Event()

    def send() -> None:
        api, repeated = ApiClient(stack), kafka_command()
        for number in count():
            if stop.wait(0.02):
                return
            body = order_body(contact=matching(contact), orderAction=ACTION)
            answer = api.post(body)
            api.order(body["orderId"])
            api.job(answer.json()["jobId"])
            if number % 5 == 0:
                api.post(order_body(orderAction=ACTION))
                api.post({"orderId": ""})
                api.post(order_body(), prefer="wait=5")
                httpx.get(f"{stack.gateway}/api/v3/orders/{unique('o')}", headers={"apikey": "no"})
                garbage = Outgoing(COMMANDS.name, b"o-1", b"{", ())
                publish_outgoing(stack.kafka, [garbage, repeated])

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def kafka_command() -> Outgoing:
    """Return a command as another system publishes it; sent again, it is a repeat."""
    body = order_body()
    headers = {
        "ce_specversion": "1.0",
        "ce_type": "RegisterOrder.v1",
        "ce_source": "/shop",
        "ce_id": "5f0c4d9e-4f43-4c0e-9f1c-0d4b3e0f7a11",
    }
    sent = tuple((name, text.encode()) for name, text in headers.items())
    return Outgoing(COMMANDS.name, body["orderId"].encode(), json.dumps(body).encode(), sent)


def targets(stack: RunningStack, *gateways: str) -> dict[str, list[str]]:
    """Return the health ports of all processes by the job that the rules know them by."""
    services = stack.status()["services"]
    found = {job_of(it["name"]): [urlsplit(it["url"]).netloc] for it in services}
    found[job_of(GATEWAY)] += [urlsplit(url).netloc for url in gateways]
    return found


@pytest.fixture(scope="module")
def prometheus(
    stack: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    folder = tmp_path_factory.mktemp("prometheus")
    tls = certificate_files(folder)
    https = {
        "TLS_CERT_FILE": str(tls.cert),
        "TLS_KEY_FILE": str(tls.key),
        "PUBLIC_URL": "https://localhost",
    }
    with ExitStack() as clean_up:
        other = clean_up.enter_context(extra_gateway(stack, folder / "gateway.log", **https))
        machine = clean_up.enter_context(node_exporter(folder))
        scraped = targets(stack, other.health) | {MACHINES: [machine]}
        server = clean_up.enter_context(prometheus_server(folder, scraped))
        clean_up.enter_context(load(stack))
        until(server.is_ready, of="Prometheus")
        until(lambda: under_way(server), seconds=60, of="the load")
        yield server


def under_way(server: PrometheusServer) -> bool:
    """Return whether every counter moved that the load moves: then windows are full, too."""
    return all(sum(server.query(f"increase({it}[15s])")) > 0 for it in MOVING)


def has_data(server: PrometheusServer, expr: str) -> bool:
    """Return whether a query returns a number; a quantile of nothing is none."""
    return any(not math.isnan(value) for value in server.query(expr))


def runnable(query: Query) -> str:
    return query.expr.replace("$__rate_interval", "15s")


def always(expr: str) -> str:
    """Return an alert's expression that says 0 where it doesn't fire, rather than nothing."""
    return re.sub(r" (==|<=|>=|<|>) (?=[\d.]+\b(?!\)))", r" \1 bool ", expr)


def test_every_process_is_scraped(prometheus: PrometheusServer) -> None:
    assert prometheus.query("up") == [1.0] * 6


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda it: str(it.uid))
def test_every_query_of_a_dashboard_has_data(
    prometheus: PrometheusServer, dashboard: Dashboard
) -> None:
    queries = [(panel.title, it) for panel in dashboard.panels for it in panel.queries]

    def empty() -> list[str]:
        return [title for title, it in queries if not has_data(prometheus, runnable(it))]

    with suppress(AssertionError):  # the windows may not be full yet; below it says which aren't
        until(lambda: not empty(), seconds=20)
    assert empty() == []


def test_every_rule_has_data_and_no_error(prometheus: PrometheusServer) -> None:
    records = recording_rules(DRILL)
    exprs = {it.name: always(it.expr) for it in alerts(DRILL)}

    assert [name for name in records if not has_data(prometheus, name)] == []
    assert [name for name, expr in exprs.items() if not has_data(prometheus, expr)] == []
    rules = prometheus.rules()
    assert len(rules) == len(records) + len(exprs)
    assert [it["name"] for it in rules if it["health"] != "ok" or it.get("lastError")] == []


def test_a_healthy_stack_under_load_raises_no_alarm(prometheus: PrometheusServer) -> None:
    firing = {it["name"] for it in prometheus.rules() if it.get("state") == "firing"}
    assert firing <= QUIET | OF_THIS_MACHINE


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(ordermill_gateway_accepted[15s]))",
        'ordermill_dependency_up{dependency="mongo"}',
        "histogram_quantile(0.5, sum by (le) (rate(ordermill_writer_step_seconds_sum[15s])))",
    ],
)
def test_a_query_without_data_is_found(prometheus: PrometheusServer, wrong: str) -> None:
    assert not has_data(prometheus, wrong)
