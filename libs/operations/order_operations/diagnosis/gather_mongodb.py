"""What is in MongoDB of processes, publishers and work; each query bounded and indexed."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import Final

from pymongo import DESCENDING
from pymongo.database import Database

from order_contracts.integration_log import SEVERITIES
from order_contracts.job import Operation
from order_operations.diagnosis.facts import (
    DeadLetterCount,
    Disk,
    Instance,
    LogCount,
    NewJobs,
    SchemaStep,
)
from order_operations.migrations.index_plan import all_index_steps
from order_runtime.documents.dead_letters import OPEN
from order_runtime.documents.instances import condition_of
from order_runtime.mongo.client import (
    DEAD_LETTERS,
    HEALING,
    INSTANCES,
    INTEGRATION_LOG,
    JOBS,
    Document,
)
from order_runtime.mongo.collections import COLLECTIONS
from order_runtime.mongo.list_indexes import read_indexes

MAX_COUNTED: Final = 1_000
MAX_INSTANCES: Final = 500
NEW_JOBS: Final = 200
LOG_CODES: Final = ("CommandRejected", "Misrouted", "IdReused", "ActionFailed")
_CONTACT_MISSING: Final = "ContactMissing"
_CONNECTED: Final = frozenset({str(Operation.REGISTER), str(Operation.REPLACE)})
"""Jobs whose order gets a contact."""


def instances(database: Database[Document]) -> list[Instance]:
    """
    Return what the processes reported of themselves last, the latest first.

    A document that can't be read is left out: it is no process of this release or the one before.
    """
    dated: Document = {it: {"$type": "date"} for it in ("heartbeatAt", "startedAt", "clock")}
    found = database[INSTANCES].find(dated).sort("heartbeatAt", DESCENDING).limit(MAX_INSTANCES)
    readable: list[Instance] = []
    for it in found:
        with suppress(KeyError, TypeError):
            readable.append(instance_of(it))
    return readable


def instance_of(document: Document) -> Instance:
    return Instance(
        service=document["service"],
        name=document["instance"],
        version=document["version"],
        host=document["host"],
        health=document["health"],
        pid=document["pid"],
        started_at=document["startedAt"],
        heartbeat_at=document["heartbeatAt"],
        clock=document["clock"],
        ready=document["ready"],
        stopped_at=document.get("stoppedAt"),
        failure=document.get("failure"),
        waits_for={it["dependency"]: it["since"] for it in document.get("waitsFor", ())},
        stalled=tuple(document.get("stalled", ())),
        conditions=tuple(condition_of(it) for it in document.get("conditions", ())),
        secrets={it["secret"]: it["unchangedSince"] for it in document.get("secrets", ())},
        certificates={it["certificate"]: it["endsAt"] for it in document.get("certificates", ())},
    )


def log_counts(database: Database[Document], since: datetime) -> list[LogCount]:
    """Return the open entries of LOG_CODES since then, at most MAX_COUNTED of each."""
    found = []
    for code in LOG_CODES:
        where = {
            "code": code,
            "severity": {"$in": list(SEVERITIES)},
            "at": {"$gte": since},
            "resolvedAt": None,
        }
        entries = list(database[INTEGRATION_LOG].find(where, {"source": 1}).limit(MAX_COUNTED))
        sources = sorted({it["source"] for it in entries if it.get("source")})
        if entries:
            found.append(LogCount(code, len(entries), sources))
    return found


def new_jobs(database: Database[Document], since: datetime) -> NewJobs:
    """Return the newest jobs since then that stored an order, and how many lack its contact."""
    where = {"at": {"$gte": since}}
    newest = (
        database[JOBS]
        .find(where, {"operation": 1, "failure": 1})
        .sort([("at", DESCENDING), ("_id", DESCENDING)])
    )
    ids = [
        it["_id"]
        for it in newest.limit(NEW_JOBS)
        if "failure" not in it and it.get("operation") in _CONNECTED
    ]
    missing = {"jobId": {"$in": ids}, "code": _CONTACT_MISSING, "resolvedAt": None}
    found = database[INTEGRATION_LOG].find(missing, {"jobId": 1})
    return NewJobs(len(ids), len({it["jobId"] for it in found}))


def dead_letters(database: Database[Document], since: datetime) -> list[DeadLetterCount]:
    """Return the letters since then that are open, the newest MAX_COUNTED at most."""
    newest = database[DEAD_LETTERS].find(
        {"state": OPEN, "at": {"$gte": since}}, {"topic": 1, "code": 1}
    )
    found = list(newest.sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(MAX_COUNTED))
    counts = Counter(it["topic"] for it in found)
    return [
        DeadLetterCount(topic, count, sorted({it["code"] for it in found if it["topic"] == topic}))
        for topic, count in sorted(counts.items())
    ]


def healing_since(database: Database[Document]) -> datetime | None:
    """Return when the oldest change of reference data came that isn't healed."""
    found = database[HEALING].find_one({}, {"since": 1}, sort={"since": 1})
    return found["since"] if found else None


def index_steps(database: Database[Document]) -> list[SchemaStep]:
    """Return what `orders migrate apply` would do about indexes."""
    found = {it.name: read_indexes(database, it.name) for it in COLLECTIONS}
    return [
        SchemaStep(it.kind, f"{it.collection}.{it.index.name}")
        for it in all_index_steps(COLLECTIONS, found)
    ]


def mongodb_disks(database: Database[Document]) -> list[Disk]:
    """Return the primary's disk."""
    found = database.command("dbStats")
    host, port = database.client.primary or ("", 0)
    used, total = int(found["fsUsedSize"]), int(found["fsTotalSize"])
    return [Disk(f"mongod {host}:{port}", used, total)]
