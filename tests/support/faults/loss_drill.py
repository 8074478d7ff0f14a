"""What drills of loss do to a stack: orders that are accepted, found missing, and sent again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import httpx

from support.builders.bodies import Json, matching, order_body, unique
from support.builders.raw_records import RawRecord
from support.stack.api_client import ApiClient
from support.stack.documents import find_documents
from support.stack.running_stack import RunningStack
from support.stack.webhook_receiver import received_webhook_ids

CONFIRM: Json = {"action": "ConfirmOrder"}


def loaded(stack: RunningStack, folder: Path, *contacts: Json) -> Json:
    """Load contacts; return the last."""
    file = folder / f"{unique('contacts')}.ndjson"
    file.write_text("\n".join(map(json.dumps, contacts)))
    stack.orders("reference", "load", "--wait", str(file))
    return contacts[-1]


def body(contact: Json) -> Json:
    return order_body(contact=matching(contact))


def accepted(api: ApiClient, count: int, contact: Json) -> list[str]:
    """Register orders that ask for an action; return their jobs."""
    return [post(api, {**body(contact), "orderAction": CONFIRM}) for _ in range(count)]


def post(api: ApiClient, order: Json, key: str | None = None) -> str:
    answer = api.post(order, **({"idempotency-key": key} if key else {}))
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    return job_id


def bulk(api: ApiClient, rows: Sequence[Json], **query: str) -> httpx.Response:
    return api.client.post(f"{api.base}/orders/bulk", params=query, json=list(rows))


def without_id(order: Json) -> RawRecord:
    """Return a command whose job has an id that is derived from its place."""
    return RawRecord(order["orderId"], json.dumps(order).encode(), {"ce_type": "RegisterOrder.v1"})


def missing(api: ApiClient, order_ids: Sequence[str]) -> set[str]:
    asked = {"orders": [{"orderId": it} for it in order_ids]}
    answer = api.client.post(f"{api.base}/orders/check", json=asked)
    assert answer.status_code == 200, answer.text
    return set(answer.json()["missing"])


def unfinished(stack: RunningStack) -> dict[str, str]:
    """Return the jobs that `orders unfinished plan` lists, each with what it lacks."""
    done = stack.orders("unfinished", "plan", "--since", "1h", "--json")
    return {it["jobId"]: it["lacks"] for it in json.loads(done.stdout)}


def fired(stack: RunningStack, job_ids: Sequence[str]) -> int:
    where = {"_id": {"$in": list(job_ids)}, "action": "fired"}
    return len(find_documents(stack.mongo, stack.database, "enrichments", where))


def webhooks(stack: RunningStack) -> list[str]:
    return received_webhook_ids(stack.receiver)
