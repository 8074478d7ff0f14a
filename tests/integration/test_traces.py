"""One trace from the request, or the command on Kafka, to the webhook, over all services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from order_contracts.topics import ENRICHER, GATEWAY, TRIGGER, WRITER
from support.builders.bodies import Json, contact_body, matching, order_body
from support.builders.raw_records import register_record
from support.harness.trace_collector import ReceivedSpan, TraceCollector, collecting
from support.history.journal import Journal
from support.load.external_publisher import ExternalPublisher
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack
from support.stack.service_logs import log_lines
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhooks, set_behaviour

SERVICES = (GATEWAY, WRITER, ENRICHER, TRIGGER)
CONFIRM = {"action": "ConfirmOrder"}
RECEIVE, SEND = "POST /api/v3/orders", "send orders.commands"
STORE, ENRICH = "process orders.commands", "process orders.events"
RECORD, DELIVER, HEAL = "process orders.actions", "POST", "heal order"
PARENT = "b7ad6b7169203331"


@dataclass(frozen=True)
class Orders:
    """Orders that were sent: one of each way to the webhook; ids of traces."""

    posted: str
    published: str
    """Its job's id: it came without a trace."""
    retried: str
    healed: str
    left_out: str


@dataclass(frozen=True)
class Traced:
    collector: TraceCollector
    orders: Orders
    webhooks: list[Json]

    def chain(self, trace_id: str) -> list[ReceivedSpan]:
        """Return the spans of a trace, each after its parent, siblings by time."""
        return in_order(self.collector.of_trace(trace_id))


def in_order(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
    known = {it.span_id for it in spans}
    found = sorted((it for it in spans if it.parent_id not in known), key=lambda it: it.started)
    for it in found:
        children = (child for child in spans if child.parent_id == it.span_id)
        found += sorted(children, key=lambda child: child.started)
    return found


@pytest.fixture(scope="module")
def traced(
    stack: RunningStack, contact: Json, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """Send one order of each kind while all services export to a collector; then wait for all."""
    with collecting() as collector:
        stop_all(stack)
        try:
            start_all(
                stack,
                ORDERMILL_TRACES="otlp",
                ORDERMILL_TRACES_URL=collector.url,
                ORDERMILL_TRACES_SAMPLE="1",
            )
            sent = sent_orders(stack, contact, tmp_path_factory.mktemp("late"))
            yield Traced(collector, sent, awaited(stack, collector, sent))
        finally:
            stop_all(stack)
            stack.orders("start", "--all")


def stop_all(stack: RunningStack) -> None:
    pids = (it["pid"] for it in stack.status()["services"])
    running = [psutil.Process(it) for it in pids if it is not None]
    for process in running:
        process.terminate()
    psutil.wait_procs(running, timeout=30)


def start_all(stack: RunningStack, **settings: str) -> None:
    def start(service: str) -> None:
        stack.start(service, wait=True, **settings)

    with ThreadPoolExecutor(len(SERVICES)) as pool:
        list(pool.map(start, SERVICES))


def sent_orders(stack: RunningStack, contact: Json, folder: Path) -> Orders:
    client = ApiClient(stack)
    set_behaviour(stack.receiver, status=500, times=1)
    retried = posted(client, order_body(contact=contact, orderAction=CONFIRM))
    until(lambda: hooks_of(stack, retried), of="the first attempt")
    late = contact_body()
    healed = posted(client, order_body(contact=matching(late), orderAction=CONFIRM))
    sent = Orders(
        posted=posted(client, order_body(contact=contact, orderAction=CONFIRM)),
        published=published(stack, order_body(contact=contact, orderAction=CONFIRM)),
        retried=retried,
        healed=healed,
        left_out=posted(client, order_body(contact=contact, orderAction=CONFIRM), flags="00"),
    )
    file = folder / "contacts.ndjson"
    file.write_text(json.dumps(late))
    stack.orders("reference", "load", "--wait", str(file))
    return sent


def posted(client: ApiClient, body: Json, flags: str = "01") -> str:
    """Register an order in its own trace; return that trace's id, once the order is enriched."""
    trace_id = uuid4().hex
    headers = {
        "traceparent": f"00-{trace_id}-{PARENT}-{flags}",
        "prefer": "wait=20, until=enriched",
    }
    answer = client.post(body, **headers)
    assert answer.status_code == 200, answer.text
    return trace_id


def published(stack: RunningStack, body: Json) -> str:
    """Publish a command without a trace; return its job's id."""
    job_id = str(uuid4())
    publisher = ExternalPublisher(stack.kafka, Journal())
    publisher.send(register_record(body, job_id))
    publisher.flush()
    return job_id


def awaited(stack: RunningStack, collector: TraceCollector, sent: Orders) -> list[Json]:
    """Wait until each order's last webhook was sent and its span received; return the webhooks."""

    def delivered(trace_id: str) -> bool:
        spans = collector.of_trace(trace_id)
        return any(it.name == DELIVER and not it.failed for it in spans)

    def all_delivered() -> bool:
        roots = [trace_of(collector, sent.published), sent.posted, sent.retried, sent.healed]
        return all(it and delivered(it) for it in roots)

    until(all_delivered, of="the spans of all webhooks")
    until(lambda: hooks_of(stack, sent.left_out), of="the webhook that isn't recorded")
    return received_webhooks(stack.receiver)


def trace_of(collector: TraceCollector, job_id: str) -> str | None:
    """Return the trace of a job."""
    of_job = (
        it for it in tuple(collector.spans) if it.attributes.get("ordermill.job_id") == job_id
    )
    return next((it.trace_id for it in of_job), None)


def hooks_of(stack: RunningStack, trace_id: str) -> list[Json]:
    return [it for it in received_webhooks(stack.receiver) if trace_id in traceparent_of(it)]


def traceparent_of(webhook: Json) -> str:
    found: str = webhook["headers"].get("traceparent", "")
    return found


def names(spans: list[ReceivedSpan]) -> list[tuple[str, str, str]]:
    return [(it.service, it.kind, it.name) for it in spans]


AS_POSTED = [
    (GATEWAY, "SERVER", RECEIVE),
    (GATEWAY, "PRODUCER", SEND),
    (WRITER, "CONSUMER", STORE),
    (ENRICHER, "CONSUMER", ENRICH),
    (TRIGGER, "CONSUMER", RECORD),
    (TRIGGER, "CLIENT", DELIVER),
]


def test_an_order_that_is_posted_is_one_trace_to_its_webhook(traced: Traced) -> None:
    spans = traced.chain(traced.orders.posted)

    assert names(spans) == AS_POSTED
    assert [it.parent_id for it in spans] == [PARENT, *(it.span_id for it in spans[:-1])]
    assert not any(it.failed for it in spans)
    assert all(it.started <= it.ended for it in spans)
    [webhook] = [it for it in traced.webhooks if traced.orders.posted in traceparent_of(it)]
    assert traceparent_of(webhook) == f"00-{traced.orders.posted}-{spans[-1].span_id}-01"


def test_what_handles_a_message_links_to_what_sent_it(traced: Traced) -> None:
    spans = traced.chain(traced.orders.posted)

    consumers = [it for it in spans if it.kind == "CONSUMER"]
    assert [it.linked for it in consumers] == [(it.parent_id,) for it in consumers]


def test_spans_have_ids_and_never_values(traced: Traced) -> None:
    spans = traced.chain(traced.orders.posted)
    [webhook] = [it for it in traced.webhooks if traced.orders.posted in traceparent_of(it)]
    order_id = webhook["body"]["data"]["order"]["orderId"]

    assert [it.attributes.get("ordermill.order_id") for it in spans[1:]] == [order_id] * 5
    assert set().union(*(it.attributes for it in spans)) == {
        *("http.request.method", "http.route", "http.response.status_code"),
        *("messaging.system", "messaging.operation.name", "messaging.operation.type"),
        *("messaging.destination.name", "messaging.destination.partition.id"),
        *("messaging.consumer.group.name", "messaging.kafka.offset"),
        *("ordermill.order_id", "ordermill.job_id", "ordermill.message"),
        *("ordermill.attempt", "ordermill.endpoint"),
    }


def test_a_command_without_a_trace_begins_one_at_the_order_writer(traced: Traced) -> None:
    trace_id = trace_of(traced.collector, traced.orders.published)
    assert trace_id is not None
    spans = traced.chain(trace_id)

    assert names(spans) == AS_POSTED[2:]
    assert [it.parent_id for it in spans] == ["", *(it.span_id for it in spans[:-1])]


def test_a_retry_is_another_attempt_of_the_same_trace(traced: Traced) -> None:
    spans = traced.chain(traced.orders.retried)

    assert names(spans) == [*AS_POSTED, AS_POSTED[-1]]
    recorded, first, second = spans[-3:]
    assert first.parent_id == second.parent_id == recorded.span_id
    told = "http.response.status_code", "ordermill.attempt", "http.request.resend_count"
    assert [first.attributes.get(it) for it in told] == [500, 1, None]
    assert [second.attributes.get(it) for it in told] == [204, 2, 1]
    assert (first.failed, second.failed) == (True, False)
    sent = [
        traceparent_of(it) for it in traced.webhooks if traced.orders.retried in traceparent_of(it)
    ]
    assert sent == [f"00-{it.trace_id}-{it.span_id}-01" for it in (first, second)]


def test_a_healed_order_goes_on_with_the_trace_of_its_command(traced: Traced) -> None:
    spans = traced.chain(traced.orders.healed)

    healing = (ENRICHER, "INTERNAL", HEAL)
    assert names(spans) == [*AS_POSTED[:4], healing, *AS_POSTED[4:]]
    enriched, healed = spans[3:5]
    assert (healed.parent_id, healed.linked) == (enriched.span_id, (enriched.span_id,))
    assert [it.parent_id for it in spans[1:]] == [it.span_id for it in spans[:-1]]


def test_what_a_sender_leaves_out_keeps_its_trace_and_is_not_recorded(traced: Traced) -> None:
    [webhook] = [it for it in traced.webhooks if traced.orders.left_out in traceparent_of(it)]

    assert traceparent_of(webhook) == f"00-{traced.orders.left_out}-{PARENT}-00"
    assert traced.collector.of_trace(traced.orders.left_out) == []


def test_the_access_log_names_the_trace(traced: Traced, stack: RunningStack) -> None:
    lines = [it for it in log_lines(stack, GATEWAY) if it.get("event") == "request"]

    assert traced.orders.posted in [it.get("trace_id") for it in lines]
    assert traced.orders.left_out not in [it.get("trace_id") for it in lines]
