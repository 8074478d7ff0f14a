"""Every call in every state of an order, as the contract answers it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.builders.bodies import Json, article_body, contact_body, line, matching, order_body
from support.builders.call_matrix import CallCase, call_cases
from support.stack.async_api_client import WAIT, ApiResponse, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack

CELLS = list(call_cases())
AT = "2025-11-28T11:00:00Z"
NO_TAG = "AAAAAAAAAAAAAAAAAAAAAA=="
IF_MATCH = {
    "right": '"{tag}"',
    "any": "*",
    "list": '"other", "{tag}"',
    "wrong": f'"{NO_TAG}"',
    "weak": 'W/"{tag}"',
    "malformed": "{tag}",
}


@dataclass
class Subject:
    """An order of its own for one cell, with a contact of its own, and all that became of it."""

    cell: CallCase
    contact: Json = field(default_factory=contact_body)
    body: Json = field(default_factory=dict)
    tag: str = NO_TAG
    answer: ApiResponse | None = None
    job: Json | None = None
    after: Json | None = None

    @property
    def order_id(self) -> str:
        found: str = self.body["orderId"]
        return found


@pytest.fixture(scope="module")
def subjects(
    stack: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Subject]:
    """All cells, played at once."""
    found = [Subject(cell) for cell in CELLS]
    sku = article_body()
    file = tmp_path_factory.mktemp("reference") / "reference.ndjson"
    rows = [sku, *(subject.contact for subject in found)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    stack.orders("reference", "load", str(file))
    for it in found:
        # Its total is off: so each registration leaves an entry in the integration log.
        lines = [line(sku=sku["sku"])]
        it.body = order_body(contact=matching(it.contact), lines=lines, totalPrice=77)
    asyncio.run(played(stack, found))
    return {str(it.cell): it for it in found}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_call_is_answered_as_the_table_says(
    subjects: Mapping[str, Subject], cell: CallCase
) -> None:
    """
    What is answered, how the job ends, and whether there is an order afterwards.
    """
    it = subjects[str(cell)]

    assert it.answer is not None
    assert (it.answer.status, code_of(it.answer)) == (cell.status, cell.code), it.answer.body
    assert end_of(it.job) == cell.end, it.job
    assert (it.after is not None) == cell.exists
    assert seen(it) == cell.shows, it.answer.body


async def played(stack: RunningStack, subjects: Sequence[Subject]) -> None:
    async with AsyncApiClient(stack) as calls:
        await prepare(calls, subjects)
        await asyncio.gather(*[ask(calls, it) for it in subjects])
        jobs = await calls.settled([job_of(it) for it in subjects if job_of(it)])
        for it in subjects:
            it.job = jobs.get(job_of(it))
            it.after = await calls.order(it.order_id)


async def prepare(calls: AsyncApiClient, subjects: Sequence[Subject]) -> None:
    """Bring every order into its state."""
    there = [it for it in subjects if it.cell.state != "absent"]
    gone = [it for it in there if it.cell.state != "present"]
    back = [it for it in gone if it.cell.state == "again"]
    await register(calls, there)
    deleted = await asyncio.gather(
        *[calls("DELETE", order_path(it.order_id), headers=WAIT) for it in gone]
    )
    assert {answer.status for answer in deleted} == {200}
    await register(calls, back)


async def register(calls: AsyncApiClient, subjects: Iterable[Subject]) -> None:
    """Register the orders, until each is connected to its contact."""
    answers = {it.order_id: calls("POST", "/orders", it.body, WAIT) for it in subjects}
    found = await asyncio.gather(*answers.values())
    jobs = await calls.settled([answer.job_id for answer in found])
    tags = {job["orderId"]: job["versionTag"] for job in jobs.values()}
    for it in subjects:
        it.tag = tags[it.order_id]


async def ask(calls: AsyncApiClient, it: Subject) -> None:
    method, path, body = request_of(it)
    wanted = it.cell.if_match
    headers = {"if-match": IF_MATCH[wanted].format(tag=it.tag)} if wanted else {}
    it.answer = await calls(method, path, body, headers)


def request_of(it: Subject) -> tuple[str, str, Any]:
    """Return the method, the path and the body of a cell's call."""
    one, body, contact_id = order_path(it.order_id), it.body, it.contact["contactId"]
    action = {"action": "ConfirmOrder", "versionTag": it.tag}
    requests: dict[str, tuple[str, str, Any]] = {
        "register": ("POST", "/orders", body),
        "bulk": ("POST", "/orders/bulk", [body, order_body()] if it.cell.code else [body]),
        "replace": ("PUT", one, body),
        "replace-another": ("PUT", one, body | {"orderId": "another"}),
        "delete": ("DELETE", one, None),
        "change-status": ("POST", f"{one}/change-status", {"status": "completed", **changed()}),
        "change-delivery": ("POST", f"{one}/change-delivery", {"delivery": {}, **changed()}),
        "action": ("POST", f"{one}/action", action),
        "action-mismatch": ("POST", f"{one}/action", action | {"versionTag": NO_TAG}),
        "get": ("GET", one, None),
        "get-of-contact": ("GET", f"{one}?contactId={contact_id}", None),
        "get-of-another": ("GET", f"{one}?contactId=another", None),
        "list-of-contact": ("GET", f"/orders?contactId={contact_id}", None),
        "jobs": ("GET", f"/orders/jobs?orderId={it.order_id}", None),
        "history": ("GET", f"{one}/history", None),
        "integration-log": ("GET", f"/integration-log?orderId={it.order_id}", None),
        "check": ("POST", "/orders/check", [{"orderId": it.order_id, "versionTag": it.tag}]),
        "check-mismatch": ("POST", "/orders/check", [expected(it.order_id)]),
    }
    return requests[it.cell.call]


def changed() -> Json:
    return {"lastChangedAt": AT}


def expected(order_id: str) -> Json:
    return {"orderId": order_id, "versionTag": NO_TAG}


def job_of(it: Subject) -> str:
    """Return the job of a call that was accepted, else nothing."""
    assert it.answer is not None
    row = first_row(it.answer)
    accepted = (row or it.answer.body) if it.answer.status == 202 else {}
    return str(accepted.get("jobId", ""))


def first_row(answer: ApiResponse) -> Json:
    return next(iter(answer.body.get("rows", ())), {})


def code_of(answer: ApiResponse) -> str | None:
    errors = first_row(answer).get("errors")
    return errors[0]["code"] if errors else answer.code


def end_of(job: Json | None) -> str | None:
    if job is None:
        return None
    end: str = job["errors"][0]["code"] if job["errors"] else job["status"]
    return end


def seen(it: Subject) -> Any:
    """Return what a reading call shows of the order."""
    assert it.answer is not None
    body, call = it.answer.body, it.cell.call
    if it.answer.status != 200:
        return None
    if call == "history":
        return len(body["jobs"])
    if call.startswith("check"):
        return shown_by_check(body, it)
    if "items" in body:
        return len(body["items"])
    tags = {it.answer.headers["etag"], f'"{it.tag}"', f'"{body["versionTag"]}"'}
    return "order" if len(tags) == 1 and body["contactId"] == it.contact["contactId"] else body


def shown_by_check(body: Json, it: Subject) -> Any:
    differing = [{"orderId": it.order_id, "versionTag": it.tag}]
    states = {
        "there": {"checked": 1, "missing": [], "differing": []},
        "missing": {"checked": 1, "missing": [it.order_id], "differing": []},
        "differing": {"checked": 1, "missing": [], "differing": differing},
    }
    return next((name for name, state in states.items() if state == body), body)
