"""
Every collection as data: who writes and reads it, its indexes, and changes of its documents.

`orders migrate apply` makes a database what is said here, while services of the release before go
on; services only check it. An index whose keys or filter change gets another name, and the old name
goes to `retired`: both exist until no service of the release before is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from order_contracts.integration_log import KEPT_DAYS
from order_contracts.job import Enrichment
from order_contracts.topics import ENRICHER, GATEWAY, MIGRATOR, OPERATOR, TRIGGER, WRITER
from order_runtime.documents.deliveries import PENDING
from order_runtime.documents.instances import FORGOTTEN_AFTER
from order_runtime.documents.job_updates import HAS_PERSONAL_DATA
from order_runtime.documents.orders import TOMBSTONE_RETENTION
from order_runtime.mongo import client
from order_runtime.mongo.indexes import Index, index


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of the database; all documents have a unique `_id` that says what they are."""

    name: str
    writers: frozenset[str]
    readers: frozenset[str]
    indexes: tuple[Index, ...] = ()
    retired: tuple[str, ...] = ()
    """Names of indexes that earlier releases made and this one doesn't use."""


@dataclass(frozen=True, slots=True)
class Migration:
    """
    A change of the documents of an earlier release, which this one reads in both shapes.

    A page of documents is changed in one update. It is applied again where an apply was
    interrupted, and where a service of the release before wrote such a document meanwhile: *update*
    must leave a changed document as it is, or *selects* not select it.
    """

    name: str
    collection: str
    selects: Mapping[str, Any]
    """The filter of the documents that are still to be changed."""
    update: Sequence[Mapping[str, Any]]
    """The pipeline that changes one of them."""


def _seconds(time: timedelta) -> int:
    return time // timedelta(seconds=1)


def _of(*services: str) -> frozenset[str]:
    return frozenset(services)


_AT_ONCE: Final = 0  # the field says when a document goes
NEWEST_FIRST: Final = index("-at", "-_id")
PERSONAL: Final = index("orderId", "at", name="personal", partial=HAS_PERSONAL_DATA)
_FAILED: Final = {"failure": {"$exists": True}}
_LACKING: Final = {"state": str(Enrichment.CONTACT_MISSING)}
_LACKING_INSIDE: Final = {"enrichment.state": str(Enrichment.CONTACT_MISSING)}
WAITS_FOR: Final = index(
    "waitsFor", "_id", name="waitsFor", partial={"waitsFor": {"$exists": True}}
)
REQUESTED: Final = index(
    "orderId",
    "-version",
    name="requested",
    partial={"action": {"$exists": True}, "version": {"$exists": True}},
)
CARRIERS: Final = index(
    # Partial, not sparse: that could not find the contacts which have no class.
    *("keys", "matchesAs"),
    name="carriers",
    partial={"keys": {"$exists": True}},  # tombstones have none
)
FORMER_CARRIERS: Final = index(
    *("formerKeys", "deletedAt"), name="former", partial={"formerKeys": {"$exists": True}}
)
OPEN_ENTRIES: Final = index(
    *("orderId", "code", "reference"), name="open", partial={"resolvedAt": None}
)
WAITING: Final = index("jobId", name="waiting", partial={"waitsFor": {"$exists": True}})
# Lists: the newest first, and by their `_id` where times are equal.
JOBS_BY_ORDER: Final = index("orderId", "-at", "-_id")
LOG_BY_ORDER: Final = index("orderId", "-at", "-_id")
LOG_BY_JOB: Final = index("jobId", "-at", "-_id")
LOG_BY_CODE: Final = index("code", "severity", "-at", "-_id")
LOG_BY_SEVERITY: Final = index("severity", "-at", "-_id")
BY_CHANGE: Final = index("updatedAt", "_id")  # the oldest first
ORDERS_OF_CONTACT: Final = index("contactId", "-registeredAt", "-_id")

ORDERS: Final = Collection(
    client.ORDERS,
    writers=_of(WRITER),
    readers=_of(GATEWAY, WRITER, ENRICHER),
    indexes=(
        index("deletedAt", ttl_seconds=_seconds(TOMBSTONE_RETENTION)),
        BY_CHANGE,
    ),
)
JOBS: Final = Collection(
    client.JOBS,
    writers=_of(WRITER, ENRICHER),
    readers=_of(GATEWAY, WRITER, ENRICHER),
    indexes=(
        index("expireAt", ttl_seconds=_AT_ONCE),
        JOBS_BY_ORDER,
        NEWEST_FIRST,
        PERSONAL,
        REQUESTED,
        index("at", "_id", name="failed", partial=_FAILED),
        index("orderId", "at", "_id", name="failedOfOrder", partial=_FAILED),
        # Of the jobs of earlier releases, which have their enrichment inside.
        index("orderId", "version", name="lacking", partial=_LACKING_INSIDE),
        index("at", "_id", name="missing", partial=_LACKING_INSIDE),
    ),
    retired=("orderId_1_at_-1", "connecting", "acting"),
)
AGREEMENTS: Final = Collection(
    client.AGREEMENTS,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER),
    indexes=(index("expireAt", ttl_seconds=_AT_ONCE),),
)
ENRICHMENTS: Final = Collection(
    client.ENRICHMENTS,
    writers=_of(ENRICHER),
    readers=_of(GATEWAY, ENRICHER),
    indexes=(
        index("expireAt", ttl_seconds=_AT_ONCE),
        index("orderId", "version", name="lacking", partial=_LACKING),
        index("fails", "acceptedAt", "_id", name="missing", partial=_LACKING),
        index("orderId", "fails", "acceptedAt", "_id", name="missingOfOrder", partial=_LACKING),
    ),
)
UNFINISHED_JOBS: Final = Collection(
    client.UNFINISHED_JOBS,
    writers=_of(ENRICHER, OPERATOR),
    readers=_of(ENRICHER),
    indexes=(index("since"), index("expireAt", ttl_seconds=_AT_ONCE)),
)
IDEMPOTENCY: Final = Collection(
    client.IDEMPOTENCY,
    writers=_of(WRITER),
    readers=_of(GATEWAY, WRITER),
    indexes=(index("expireAt", ttl_seconds=_AT_ONCE),),
)
LINKS: Final = Collection(
    client.LINKS,
    writers=_of(ENRICHER),
    readers=_of(GATEWAY, ENRICHER),
    indexes=(
        ORDERS_OF_CONTACT,
        WAITS_FOR,
        WAITING,
    ),
    retired=("waitsFor_1",),
)
HELD: Final = Collection(
    client.HELD,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER),
    indexes=(
        index("orderId", "state", name="open"),
        index("orderId", name="unannounced", partial={"untoldSince": {"$exists": True}}),
        index("until", partial={"state": "waiting"}),
        index("untoldSince", sparse=True),
        index("expireAt", ttl_seconds=_AT_ONCE),
    ),
    retired=("orderId_1",),
)
ERASURES: Final = Collection(
    client.ERASURES,
    writers=_of(ENRICHER, TRIGGER),  # both the check of their secret, at the start
    readers=_of(ENRICHER, TRIGGER),
    indexes=(index("expireAt", ttl_seconds=_AT_ONCE),),
)
MERGES: Final = Collection(
    client.MERGES,
    writers=_of(ENRICHER),
    readers=_of(GATEWAY, ENRICHER, TRIGGER),
    indexes=(index("into"),),
)
CONTACTS: Final = Collection(
    client.CONTACTS,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER),
    indexes=(
        index("expireAt", ttl_seconds=_AT_ONCE),
        CARRIERS,
        FORMER_CARRIERS,  # soon forgotten
        index("deletedAt", sparse=True),
    ),
    retired=("changedAt_1", "keys_1", "formerKeys_1"),
)
ARTICLES: Final = Collection(
    client.ARTICLES,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER),
    indexes=(index("deletedAt", sparse=True),),
    retired=("changedAt_1",),
)
STORES: Final = Collection(
    client.STORES,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER),
    indexes=(index("deletedAt", sparse=True),),
    retired=("changedAt_1",),
)
HEALING: Final = Collection(
    client.HEALING,
    writers=_of(ENRICHER),
    readers=_of(ENRICHER, OPERATOR),
    indexes=(index("turn"), index("since"), index("contactId", sparse=True)),
)
WATERMARKS: Final = Collection(client.WATERMARKS, writers=_of(ENRICHER), readers=_of(ENRICHER))
DELIVERIES: Final = Collection(
    client.ACTION_DELIVERIES,
    writers=_of(TRIGGER, ENRICHER, OPERATOR),
    readers=_of(GATEWAY, TRIGGER, ENRICHER, OPERATOR),
    indexes=(
        index("partition", "action", "dueAt", name="due", partial={"state": PENDING}),
        index("partition", "since", name="unannounced", partial={"announced": False}),
        index("orderId", "parked", "createdAt", "offset", name="turn", partial={"state": PENDING}),
        # Whether an order has parked ones is read from the index alone: no state in its filter.
        index("orderId", "parked", "action", "offset", name="parked", partial={"parked": True}),
        index("orderId", "createdAt", "_id", name="history"),
        index("contactId", name="contact", sparse=True),
        index("state", "createdAt", name="state"),  # for operators
        index("expireAt", name="expiry", ttl_seconds=_AT_ONCE),
    ),
    retired=("order",),
)
LEASES: Final = Collection(client.LEASES, writers=_of(TRIGGER), readers=_of(TRIGGER))
ENDPOINTS: Final = Collection(
    client.ENDPOINTS, writers=_of(TRIGGER, OPERATOR), readers=_of(TRIGGER, OPERATOR)
)
CONSUMER_OFFSETS: Final = Collection(
    client.CONSUMER_OFFSETS,
    writers=_of(WRITER, ENRICHER, TRIGGER, OPERATOR),
    readers=_of(WRITER, ENRICHER, TRIGGER, OPERATOR),
)
CONSUMER_PAUSES: Final = Collection(
    client.CONSUMER_PAUSES,
    writers=_of(OPERATOR),
    readers=_of(WRITER, ENRICHER, TRIGGER, OPERATOR),
)
DEAD_LETTERS: Final = Collection(
    client.DEAD_LETTERS,
    writers=_of(WRITER, ENRICHER, TRIGGER, OPERATOR),
    readers=_of(OPERATOR),
    indexes=(
        index("expireAt", ttl_seconds=_AT_ONCE),
        NEWEST_FIRST,
        index("state", "-at", "-_id"),
        index("chain", "state", name="chain"),
        index("jobId", "state", name="job"),
        index("orderId", "-at", "-_id"),
    ),
)
MIGRATION_STATE: Final = Collection(
    client.MIGRATION_STATE, writers=_of(MIGRATOR), readers=_of(MIGRATOR)
)
INTEGRATION_LOG: Final = Collection(
    client.INTEGRATION_LOG,
    writers=_of(WRITER, ENRICHER, TRIGGER),
    readers=_of(GATEWAY, ENRICHER),
    indexes=(
        index("at", ttl_seconds=_seconds(timedelta(days=KEPT_DAYS))),
        LOG_BY_ORDER,
        LOG_BY_JOB,
        LOG_BY_CODE,
        LOG_BY_SEVERITY,
        NEWEST_FIRST,
        OPEN_ENTRIES,
    ),
    retired=("orderId_1_at_-1", "jobId_1"),
)
INSTANCES: Final = Collection(
    client.INSTANCES,
    writers=_of(GATEWAY, WRITER, ENRICHER, TRIGGER),
    readers=_of(OPERATOR),
    indexes=(index("heartbeatAt", ttl_seconds=_seconds(FORGOTTEN_AFTER)),),
)

COLLECTIONS: Final = (
    ORDERS,
    JOBS,
    AGREEMENTS,
    ENRICHMENTS,
    UNFINISHED_JOBS,
    IDEMPOTENCY,
    LINKS,
    HELD,
    ERASURES,
    MERGES,
    CONTACTS,
    ARTICLES,
    STORES,
    HEALING,
    WATERMARKS,
    DELIVERIES,
    LEASES,
    ENDPOINTS,
    CONSUMER_OFFSETS,
    CONSUMER_PAUSES,
    DEAD_LETTERS,
    MIGRATION_STATE,
    INTEGRATION_LOG,
    INSTANCES,
)
_CONTACT_CLASSES: Final = Migration(
    name="contact classes",
    collection=client.CONTACTS,
    selects={"keys": {"$exists": True}, "matchesAs": {"$exists": False}},
    # Of one that was merged it is not its last word, and is found out when it is read.
    update=(
        {
            "$set": {
                "matchesAs": {
                    "$cond": [
                        {"$eq": [{"$type": "$contactType"}, "string"]},
                        {"$concat": ["type:", "$contactType"]},
                        "any",
                    ]
                }
            }
        },
    ),
)
MIGRATIONS: Final[tuple[Migration, ...]] = (_CONTACT_CLASSES,)
"""In the order in which they are applied."""


def collections_of(service: str) -> tuple[Collection, ...]:
    """Return the collections that *service* reads or writes."""
    return tuple(it for it in COLLECTIONS if service in it.readers | it.writers)
