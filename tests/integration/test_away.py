"""MongoDB or Kafka away: what can be accepted is, the rest is said, and everything goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import psutil
import pytest
from confluent_kafka import KafkaException

from support.builders.bodies import Json, line, order_body
from support.builders.raw_records import COMMANDS_TOPIC
from support.load.concurrent_posts import post_all
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = pytest.mark.timeout(240)

MB = 1024 * 1024
SLACK = 1  # seconds, for a machine that is busy with other things
UNKNOWN_OR_NOT = {"NotAccepted", "OutcomeUnknown"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its database and its broker are taken away."""
    with running_stack(tmp_path_factory.mktemp("orders-home")) as started:
        yield started


def test_without_mongodb_writes_are_accepted_and_reads_are_refused(own: RunningStack) -> None:
    """
    A hundred posts are accepted; once mongod is back, a hundred jobs settle.
    """
    api = ApiClient(own)
    own.kill("mongod")
    try:
        answers = post_all(own, [order_body() for _ in range(100)], concurrency=20)
        job = api.job(answers[0].job_id)
    finally:
        own.start("mongod")

    assert {answer.status for answer in answers} == {202}
    assert (job.status_code, job.json()["code"]) == (503, "DatabaseUnavailable")
    assert all(api.stored(answer.job_id)["status"] != "Failed" for answer in answers)
    assert all(service["pid"] for service in own.status()["services"])


def test_without_kafka_every_post_is_refused_within_five_seconds(own: RunningStack) -> None:
    """
    The answer says whether the command may still be applied; afterwards the truth agrees. Orders
    of 100 KB, 50 at a time: were any kept, the gateway would grow by more than 30 MB.
    """
    own.kill("broker")
    try:
        first = post_all(own, [large_order() for _ in range(100)], concurrency=50)
        before = gateway_size(own)
        then = post_all(own, [large_order() for _ in range(300)], concurrency=50)
        grown = gateway_size(own) - before
    finally:
        own.start("broker")
    answers = [*first, *then]

    assert {answer.status for answer in answers} == {503}
    assert {answer.answer["code"] for answer in answers} <= UNKNOWN_OR_NOT
    assert max(answer.seconds for answer in answers) < 5 + SLACK
    assert grown < 20 * MB
    told = {answer.body["orderId"]: answer.answer["code"] for answer in answers}
    assert all(told[it] == "OutcomeUnknown" for it in existing(own, told))
    assert all(service["pid"] for service in own.status()["services"])


@pytest.mark.faults
def test_a_bulk_whose_broker_goes_away_answers_row_by_row(own: RunningStack) -> None:
    """
    Three clients send bulk after bulk; the broker is killed once one of them is answered.
    """
    broker = psutil.Process(own.part("broker")["pid"])
    accepted = Event()
    try:
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(bulks_until_refused, own, accepted) for _ in range(3)]
            accepted.wait(60)
            broker.kill()
            answers = [answer for it in asked for answer in it.result()]
    finally:
        own.start("broker")
    rows = [row for answer in answers for row in answer.json()["rows"]]

    for answer in answers:
        statuses = {row["status"] for row in answer.json()["rows"]}
        assert answer.status_code == (202 if statuses == {202} else 207)
    assert {row["status"] for row in rows} == {202, 503}
    refused = [row for row in rows if row["status"] == 503]
    assert {row["errors"][0]["code"] for row in refused} <= UNKNOWN_OR_NOT
    told = {row["orderId"]: row for row in rows}
    there = existing(own, told)
    assert {it for it, row in told.items() if row["status"] == 202} <= there
    assert all("jobId" in told[it] for it in there)


def bulks_until_refused(own: RunningStack, accepted: Event) -> list[httpx.Response]:
    """Post bulks one after the other, the last of which isn't accepted as a whole."""
    url, headers = f"{own.gateway}/api/v3/orders/bulk", {"apikey": own.apikey}
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code == 202:
        bodies = [order_body() for _ in range(300)]
        answers.append(httpx.post(url, json=bodies, headers=headers, timeout=60))
        accepted.set()
    return answers


def large_order() -> Json:
    return order_body(lines=[line(description="d" * 1_000) for _ in range(100)])


def gateway_size(own: RunningStack) -> int:
    """Return the bytes that the gateway holds in memory."""
    size: int = psutil.Process(own.part("gateway")["pid"]).memory_info().rss
    return size


def existing(own: RunningStack, order_ids: Iterable[str]) -> set[str]:
    """Return those that exist, once every command that Kafka has is applied."""
    until(lambda: all_applied(own), seconds=60, of="all applied")
    asked = list(order_ids)
    answer = httpx.post(
        f"{own.gateway}/api/v3/orders/check",
        json=[{"orderId": it} for it in asked],
        headers={"apikey": own.apikey},
        timeout=30,
    )
    return set(asked) - set(answer.json()["missing"])


def all_applied(own: RunningStack) -> bool:
    try:
        return lag(own.kafka, "order-writer", COMMANDS_TOPIC) == 0
    except KafkaException:
        return False  # the broker is back, the leaders of its partitions are not
