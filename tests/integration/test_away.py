"""MongoDB or Kafka away: what can be accepted is, the rest is said, and everything goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.api import Api
from support.builders import order_body
from support.load import post_all
from support.stack import RunningStack, running

pytestmark = pytest.mark.timeout(240)


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
    The answer says whether the command may still be applied; afterwards the truth agrees.
    """
    api, bodies = Api(own), [order_body() for _ in range(20)]
    own.kill("broker")
    try:
        began = time.monotonic()
        answers = post_all(own, bodies, concurrency=20)
        took = time.monotonic() - began
    finally:
        own.start("broker")

    assert {answer.status for answer in answers} == {503}
    assert {answer.answer["code"] for answer in answers} <= {"NotAccepted", "OutcomeUnknown"}
    assert took < 6
    job_id = api.registered(order_body())
    assert api.stored(job_id, seconds=60)["status"] != "Failed"
    for body, answer in zip(bodies, answers, strict=True):
        if api.order(body["orderId"]).status_code == 200:
            assert answer.answer["code"] == "OutcomeUnknown"
    assert all(service["pid"] for service in own.status()["services"])
