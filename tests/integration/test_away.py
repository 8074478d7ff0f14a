"""MongoDB or Kafka away: what can be accepted is, the rest is said, and everything goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import psutil
import pytest

from support.api import Api
from support.builders import Json, line, order_body
from support.load import post_all
from support.stack import RunningStack, running
from support.topics import COMMANDS, lag
from support.wait import until

pytestmark = pytest.mark.timeout(240)

MB = 1024 * 1024
SLACK = 1  # seconds, for a machine that is busy with other things
UNKNOWN_OR_NOT = {"NotAccepted", "OutcomeUnknown"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its database and its broker are taken away."""
    with running(tmp_path_factory.mktemp("orders-home")) as started:
        yield started


def test_without_mongodb_writes_are_accepted_and_reads_are_refused(own: RunningStack) -> None:
    """
    A hundred posts are accepted; once mongod is back, a hundred jobs settle.
    """
    api = Api(own)
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
    of 200 KB, 50 at a time: were any kept, the gateway would grow by more than 40 MB.
    """
    own.kill("broker")
    try:
        first = post_all(own, [large_order() for _ in range(100)], concurrency=50)
        before = gateway_size(own)
        then = post_all(own, [large_order() for _ in range(200)], concurrency=50)
        grown = gateway_size(own) - before
    finally:
        own.start("broker")
    answers = [*first, *then]

    assert {answer.status for answer in answers} == {503}
    assert {answer.answer["code"] for answer in answers} <= UNKNOWN_OR_NOT
    assert max(answer.seconds for answer in answers) < 5 + SLACK
    print("GROWN", grown / MB, max(answer.seconds for answer in answers))
    assert grown < 20 * MB
    told = {answer.body["orderId"]: answer.answer["code"] for answer in answers}
    assert all(told[it] == "OutcomeUnknown" for it in existing(own, told))
    assert all(service["pid"] for service in own.status()["services"])


def test_a_bulk_whose_broker_goes_away_answers_row_by_row(own: RunningStack) -> None:
    """
    The broker is killed once the first of six is answered: the rows of that one are accepted,
    some of the others are not known.
    """
    bulks = [[order_body() for _ in range(500)] for _ in range(6)]
    try:
        with ThreadPoolExecutor(len(bulks)) as pool:
            asked = [pool.submit(posted, own, bulk) for bulk in bulks]
            wait(asked, return_when=FIRST_COMPLETED)
            own.kill("broker")
            answers = [it.result() for it in asked]
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


def posted(own: RunningStack, bodies: Sequence[Json]) -> httpx.Response:
    url = f"{own.gateway}/api/v3/orders/bulk"
    return httpx.post(url, json=bodies, headers={"apikey": own.apikey}, timeout=60)


def large_order() -> Json:
    return order_body(lines=[line(description="d" * 1_000) for _ in range(200)])


def gateway_size(own: RunningStack) -> int:
    """Return the bytes that the gateway holds in memory."""
    size: int = psutil.Process(own.part("gateway")["pid"]).memory_info().rss
    return size


def existing(own: RunningStack, order_ids: Iterable[str]) -> set[str]:
    """Return those that exist, once every command that Kafka has is applied."""
    until(lambda: lag(own.kafka, "order-writer", COMMANDS) == 0, seconds=60, of="all applied")
    asked = list(order_ids)
    answer = httpx.post(
        f"{own.gateway}/api/v3/orders/check",
        json=[{"orderId": it} for it in asked],
        headers={"apikey": own.apikey},
        timeout=30,
    )
    return set(asked) - set(answer.json()["missing"])
