"""Whatever is sent twice, ten times or at once is applied once."""

from __future__ import annotations

import random
from collections import Counter
from uuid import uuid4

from pymongo import MongoClient

from support.builders.bodies import Json, order_body, unique
from support.builders.raw_records import delete_record, register_record
from support.load.concurrent_posts import post_all
from support.stack.api_client import ApiClient
from support.stack.kafka_records import header, messages_of_order, publish_records, read_all, value
from support.stack.outcome_queries import log_codes, rejections
from support.stack.running_stack import RunningStack


def test_of_ten_concurrent_registrations_each_order_exists_once(stack: RunningStack) -> None:
    """
    1,000 posts of 100 orderIds: one job completes for each, every other is answered 409.
    """
    api = ApiClient(stack)
    order_ids = [unique("rival") for _ in range(100)]
    bodies = [order_body(order_id) for order_id in order_ids * 10]
    random.Random(7).shuffle(bodies)

    answers = post_all(stack, bodies, concurrency=100)

    assert Counter(answer.status for answer in answers).keys() <= {202, 409}
    jobs = {answer.job_id: answer for answer in answers if answer.status == 202}
    ends = {job_id: api.stored(job_id) for job_id in jobs}
    winners = [job for job in ends.values() if job["status"] != "Failed"]
    losers = [job for job in ends.values() if job["status"] == "Failed"]
    assert sorted(job["orderId"] for job in winners) == sorted(order_ids)
    assert {job["errors"][0]["code"] for job in losers} <= {"OrderExists"}
    owners = {job["orderId"]: job["jobId"] for job in winners}
    for answer in answers:
        if answer.status == 409:
            assert answer.job_id == owners[answer.body["orderId"]]
    assert all(owners[job["orderId"]] in job["errors"][0]["detail"] for job in losers)


def test_the_same_command_three_times_is_one_order_and_one_job(stack: RunningStack) -> None:
    """
    A publisher that retries under its own id changes nothing, and is heard each time.
    """
    api, body, job_id = ApiClient(stack), order_body(), str(uuid4())

    publish_records(stack.kafka, [register_record(body, job_id)] * 3)

    assert api.stored(job_id)["status"] != "Failed"
    last = str(uuid4())
    publish_records(stack.kafka, [delete_record(body["orderId"], last)])
    api.stored(last)
    events = messages_of_order(read_all(stack.kafka, "orders.events"), body["orderId"])
    registered = [event for event in events if header(event, "ce_type") == "OrderRegistered.v1"]
    assert len({header(event, "ce_id") for event in registered}) == 1
    assert Counter(header(event, "ce_type") for event in events)["OrderCommandRejected.v1"] == 0


def test_a_command_that_comes_again_when_its_job_is_gone_ends_again(stack: RunningStack) -> None:
    """Jobs are kept for 30 days, the log's entries for 90: what it says is there already."""
    api, job_id, later = ApiClient(stack), str(uuid4()), str(uuid4())
    order_id = unique("monthly")
    bad = register_record(order_body(order_id, totalPrice="a lot"), job_id)
    publish_records(stack.kafka, [bad])
    assert api.stored(job_id)["status"] == "Failed"
    with MongoClient[Json](stack.mongo) as client:
        client[stack.database]["jobs"].delete_one({"_id": job_id})  # as retention does

    publish_records(stack.kafka, [bad, register_record(order_body(order_id), later)])

    assert api.stored(job_id)["status"] == "Failed"
    assert api.stored(later)["status"] != "Failed"


def test_the_id_of_another_command_is_not_applied(stack: RunningStack) -> None:
    """
    The second order gets a job of its own that says so; the first is untouched.
    """
    api, job_id = ApiClient(stack), str(uuid4())
    first, second = order_body(), order_body()

    publish_records(stack.kafka, [register_record(first, job_id)])
    api.stored(job_id)
    publish_records(stack.kafka, [register_record(second, job_id)])

    events = rejections(stack, second["orderId"])
    assert api.stored(job_id)["orderId"] == first["orderId"]
    assert [event["error"]["code"] for event in events] == ["IdReused"]
    derived = api.job(events[0]["jobId"])
    assert (derived.status_code, derived.json()["code"]) == (409, "IdReused")
    assert api.order(second["orderId"]).status_code == 404
    assert log_codes(stack, events[0]["jobId"]) == ["IdReused"]


def test_an_orderid_is_free_again_after_its_deletion(stack: RunningStack) -> None:
    """
    Versions go on where the first life ended.
    """
    api, body = ApiClient(stack), order_body()
    first = api.stored(api.registered(body))
    gone = str(uuid4())
    publish_records(stack.kafka, [delete_record(body["orderId"], gone)])
    assert api.stored(gone)["status"] == "Completed"
    assert api.order(body["orderId"]).status_code == 404

    second = api.stored(api.registered(body))

    assert second["versionTag"] != first["versionTag"]
    events = messages_of_order(read_all(stack.kafka, "orders.events"), body["orderId"])
    one, two, three = sorted({value(event)["version"] for event in events})
    assert two == one + 1
    assert three > two


def test_deleting_what_is_not_there_fails(stack: RunningStack) -> None:
    """
    The job says 404 when its turn comes.
    """
    job_id = str(uuid4())
    publish_records(stack.kafka, [delete_record(unique("order"), job_id)])

    assert ApiClient(stack).stored(job_id)["errors"][0]["code"] == "OrderNotFound"
