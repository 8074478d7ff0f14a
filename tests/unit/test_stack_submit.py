"""A file of orders is sent patiently, once each, and followed until nothing moves by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from order_stack.submit import job_progress, submission
from order_stack.submit.gateway_client import Answer, RetryPolicy, connected
from order_stack.submit.submission import SubmitResult

IMPATIENT = RetryPolicy(tries=3, first_pause=0.001)


class Nobody:
    """Looks on without a word."""

    def answered(self, _: Answer, total: int) -> None: ...

    def job_seen(self, job: dict[str, Any], total: int) -> None: ...


def job(status: str, storage: str = "done", enrichment: str = "done", action: str = "none") -> Any:
    stages = {"storage": storage, "enrichment": enrichment, "action": action}
    return {"jobId": "j", "status": status, "stages": stages}


@pytest.mark.parametrize(
    ("seen", "over"),
    [
        ({"jobId": "j", "status": "Accepted"}, False),
        (job("Completed", enrichment="pending"), False),
        (job("Completed", action="pending"), False),
        (job("Completed", action="fired"), False),
        (job("Completed", action="delivered"), True),
        (job("CompletedWithErrors", enrichment="contactMissing", action="held"), True),
        (job("Failed", storage="failed", enrichment="skipped"), True),
    ],
)
def test_a_job_has_settled_when_nothing_moves_by_itself(seen: dict[str, Any], over: bool) -> None:
    assert job_progress.settled(seen) is over


def test_the_pause_is_the_servers_wish_or_doubles() -> None:
    retries = RetryPolicy(first_pause=0.1, longest_pause=8.0)
    assert retries.pause(0, "3") == 3.0
    assert [retries.pause(attempt, None) for attempt in (0, 1, 2, 30)] == [0.1, 0.2, 0.4, 8.0]
    assert retries.pause(0, "999999") == 8.0
    assert retries.pause(0, "Wed, 21 Oct 2026 07:28:00 GMT") == 0.1


def test_refused_lines_are_written_with_their_answers(tmp_path: Path) -> None:
    answers = (
        Answer(1, 202, {"jobId": "a"}, '{"orderId":"1"}'),
        Answer(2, 400, {"code": "ValidationFailed"}, '{"orderId":"2"}'),
        Answer(3, 409, {"code": "OrderExists"}, "not json"),
    )
    result = SubmitResult(answers, jobs=())
    file = submission.write_refused(result, tmp_path / "refused.ndjson")
    assert file is not None
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["line"], row["status"]) for row in rows] == [(2, 400), (3, 409)]
    assert rows[0]["order"] == {"orderId": "2"}
    assert result.summary(file)["refusedBy"] == {"400": 1, "409": 1}


def test_no_file_is_written_where_nothing_was_refused(tmp_path: Path) -> None:
    result = SubmitResult((Answer(1, 202, {"jobId": "a"}, "{}"),), jobs=())
    assert submission.write_refused(result, tmp_path / "refused.ndjson") is None
    assert not list(tmp_path.iterdir())


async def serve(handle: Callable[[web.Request], Awaitable[web.Response]]) -> TestServer:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_a_throttled_order_is_sent_again_under_the_same_key() -> None:
    keys: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            return web.Response(status=429, headers={"Retry-After": "0"})
        if len(keys) == 2:
            return web.Response(status=503)
        return web.json_response({"jobId": "j"}, status=202)

    server = await serve(handle)
    async with connected(str(server.make_url("")).rstrip("/"), "key", 4, IMPATIENT) as client:
        answers = await submission.register_all(client, ["{}"], 4, 30.0, Nobody())
    await server.close()
    assert answers[0].accepted
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_gateway_that_is_away_leaves_the_line_unsent(unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"
    async with connected(address, "key", 1, IMPATIENT) as client:
        answers = await submission.register_all(client, ["{}"], 1, 30.0, Nobody())
    assert answers[0].unsent


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("it hangs")


async def test_a_gateway_that_hangs_is_given_up_after_the_timeout() -> None:
    """However many tries a request has left: of registering and of following alike."""
    server = await serve(hang)
    async with (
        connected(str(server.make_url("")).rstrip("/"), "key", 4) as client,
        asyncio.timeout(10),
    ):
        answers = await submission.register_all(client, ["{}", "[]"], 1, 0.1, Nobody())
        followed = await job_progress.follow(client, ["j", "k"], 4, 0.1, Nobody())
    await server.close()
    assert [(it.line, it.unsent, it.order) for it in answers] == [(1, True, "{}"), (2, True, "[]")]
    assert followed == ((), 2)


@pytest.mark.parametrize(
    ("statuses", "unsettled", "failed"),
    [
        ((202, 400), 0, False),
        ((400, 409), 0, True),
        ((202, None), 0, True),
        ((202,), 1, True),
        ((), 0, False),
    ],
)
def test_a_submission_failed_where_nothing_was_accepted_or_something_is_open(
    statuses: tuple[int | None, ...], unsettled: int, failed: bool
) -> None:
    answers = tuple(Answer(line, status, {}, "{}") for line, status in enumerate(statuses, 1))
    assert SubmitResult(answers, (), unsettled).failed is failed


async def test_a_failed_job_is_read_from_the_problem_that_holds_it() -> None:
    async def handle(_: web.Request) -> web.Response:
        failed = job("Failed", storage="failed", enrichment="skipped")
        return web.json_response({"code": "OrderExists", "job": failed}, status=409)

    server = await serve(handle)
    async with connected(str(server.make_url("")).rstrip("/"), "key", 4, IMPATIENT) as client:
        jobs, unsettled = await asyncio.wait_for(
            job_progress.follow(client, ["j"], 4, 5.0, Nobody()), timeout=10
        )
    await server.close()
    assert [it["status"] for it in jobs] == ["Failed"]
    assert unsettled == 0
