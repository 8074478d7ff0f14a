"""
Every command that the services send to MongoDB names the shard key, or is on the list below.

The collections could be sharded by a hashed `_id` (docs/capacity.md). A command without it goes to
every shard: that is bearable where it is rare, or where a batch or a page shares it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from support.builders.bodies import contact_body, matching, order_body
from support.growth.profile import Profile
from support.growth.targeting import Scattered, scattered
from support.stack.async_api_client import WAIT, AsyncApiClient, order_path
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

SERVICES: Final = frozenset({"gateway", "order-writer", "enricher", "action-trigger"})
ALLOWED: Final[Mapping[str, Sequence[tuple[str, str, str]]]] = {
    "once a batch of events": [
        ("contacts", "read", "keys"),
        ("contacts", "read", "deletedAt formerKeys"),
        ("held", "read", "_id orderId state untoldSince"),
    ],
    "once for an order that is looked at again": [
        ("enrichments", "update", "orderId state version"),
        ("held", "read", "orderId state untoldSince"),
        ("integration_log", "update", "code orderId reference resolvedAt"),
        ("jobs", "update", "enrichment.state orderId version"),
        ("links", "read", "_id waitsFor"),
        ("links", "read", "waitsFor"),
    ],
    "once a second and worker, of the partitions that it has": [
        ("deliveries", "read", "action dueAt partition state"),
        ("deliveries", "read", "announced partition"),
        ("endpoints", "read", ""),
        ("healing", "read", ""),
        ("healing", "read", "leasedUntil owner"),
    ],
    "once for the orders of a batch of actions or outcomes": [
        ("deliveries", "read", "createdAt orderId parked state"),
        ("deliveries", "read", "orderId parked"),
    ],
    "once a minute and enricher, by its sweep, in pages": [
        ("held", "read", "state until"),
        ("held", "read", "untoldSince"),
        ("jobs", "read", "at"),
        ("links", "read", "_id"),
        ("links", "read", "jobId waitsFor"),
        ("orders", "read", "_id"),
        ("unfinished_jobs", "read", "since"),
    ],
    "every few seconds, for a gauge": [
        ("deliveries", "read", "state"),
        ("held", "read", "state"),
    ],
    "once for a dead letter, or for those that a batch ends": [
        ("dead_letters", "update", "_id at chain offset state topic"),
        ("dead_letters", "update", "chain state topic"),
        ("dead_letters", "update", "jobId state topic"),
    ],
    "a page of a list": [
        ("deliveries", "read", "orderId"),
        ("enrichments", "read", "acceptedAt fails state"),
        ("integration_log", "read", "code jobId resolvedAt"),
        ("integration_log", "read", "code severity"),
        ("integration_log", "read", "orderId"),
        ("integration_log", "read", "severity"),
        ("jobs", "read", "enrichment.state operation"),
        ("jobs", "read", "failure"),
        ("jobs", "read", "orderId"),
        ("links", "read", "contactId"),
    ],
    "an erasure, a deletion or a merge, in portions": [
        ("deliveries", "read", "acceptedAt contactId registeredAt"),
        ("jobs", "read", "action.data action.language at orderId"),
        ("jobs", "read", "action.data action.language orderId"),
        ("links", "read", "contactId registeredAt"),
        ("merges", "read", "into"),
        ("merges", "update", "into"),
    ],
}
"""Collection, kind and fields of the filter, by how often such a command is sent."""
KNOWN: Final = frozenset(Scattered(*it) for some in ALLOWED.values() for it in some)


async def test_what_names_no_shard_key_is_known(
    stack: RunningStack, calls: AsyncApiClient, tmp_path: Path
) -> None:
    with Profile(stack.mongo, stack.database) as profile:
        await changes_and_reads(stack, calls, tmp_path)
    seen = {it.get("appName") for it in profile.entries}
    assert seen >= SERVICES, "the profiler saw nothing of a service"
    found = {it for it, application in scattered(profile.entries) if application in SERVICES}
    assert not sorted(found - KNOWN)


async def changes_and_reads(stack: RunningStack, calls: AsyncApiClient, folder: Path) -> None:
    """Send each kind of command, read each list, heal an order, erase its contact."""
    contact = contact_body()
    waiting = order_body(contact=matching(contact), orderAction={"action": "ConfirmOrder"})
    await calls("POST", "/orders", waiting, WAIT)
    references = folder / "contacts-more.ndjson"
    references.write_text(json.dumps(contact))
    stack.orders("reference", "load", "--wait", str(references))
    body = order_body(contact=matching(contact), orderAction={"action": "ConfirmOrder"})
    order_id = body["orderId"]
    key = {"idempotency-key": order_id}
    job = (await calls("POST", "/orders", body, key | WAIT)).job_id
    await calls("PUT", order_path(order_id), body, WAIT)
    await calls("POST", order_path(order_id, "change-status"), {"status": "Completed"}, WAIT)
    for path in (
        order_path(order_id),
        order_path(order_id, "history"),
        f"/orders?contactId={contact['contactId']}&status=Completed",
        f"/orders/jobs/{job}",
        f"/orders/jobs?orderId={order_id}",
        "/orders/jobs?status=Failed",
        "/orders/jobs?status=CompletedWithErrors",
        f"/integration-log?orderId={order_id}",
        "/integration-log?severity=Warning",
        "/integration-log?code=ArticleMissing",
    ):
        assert (await calls("GET", path)).status == 200, path
    # The profiler notes the contact, too, which the command then finds.
    erased = stack.orders("privacy", "erase", contact["contactId"], check=False)
    assert "system.profile" in erased.stdout + erased.stderr


@pytest.mark.parametrize(
    ("command", "aimed"),
    [
        ({"find": "jobs", "filter": {"_id": "j-1"}}, True),
        ({"find": "jobs", "filter": {"_id": {"$in": ["j-1"]}, "at": 1}}, True),
        ({"find": "jobs", "filter": {"_id": {"$gt": "j-1"}}}, False),
        ({"find": "jobs", "filter": {"$or": [{"_id": 1}, {"orderId": 1}]}}, False),
        ({"find": "jobs", "filter": {"$or": [{"_id": 1}, {"_id": {"$eq": 2}}]}}, True),
        ({"aggregate": "jobs", "pipeline": [{"$match": {"_id": 1}}]}, True),
        ({"aggregate": "jobs", "pipeline": [{"$sort": {"at": 1}}]}, False),
        ({"q": {"orderId": 1}, "u": {}}, False),
        ({"count": "jobs"}, False),
    ],
)
def test_a_command_without_the_shard_key_is_seen(command: dict[str, Any], aimed: bool) -> None:
    op = "update" if "q" in command else "query"
    entry = {"ns": "ordermill.jobs", "op": op, "command": command}
    assert (not list(scattered([entry]))) is aimed
