"""MongoDB: exact decimals, aware times, durable writes, and the names of all collections."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion, TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128
from pymongo import AsyncMongoClient, MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from order_runtime.documents import document

Document = document.Document

ORDERS: Final = "orders"  # order-writer
JOBS: Final = "jobs"  # order-writer inserts; enricher removes what is personal of actions
AGREEMENTS: Final = "agreements"  # enricher
ENRICHMENTS: Final = "enrichments"  # enricher
UNFINISHED_JOBS: Final = "unfinished_jobs"  # enricher
IDEMPOTENCY: Final = "idempotency"  # order-writer
LINKS: Final = "links"  # enricher
HELD: Final = "held"  # enricher
CONTACTS: Final = "contacts"  # enricher
ERASURES: Final = "erasures"  # enricher
MERGES: Final = "merges"  # enricher
ARTICLES: Final = "articles"  # enricher
STORES: Final = "stores"  # enricher
HEALING: Final = "healing"  # enricher
WATERMARKS: Final = "watermarks"  # enricher
ACTION_DELIVERIES: Final = "deliveries"  # action-trigger
LEASES: Final = "leases"  # action-trigger
ENDPOINTS: Final = "endpoints"  # action-trigger, and operators by `orders deliveries`
CONSUMER_OFFSETS: Final = "consumer_offsets"  # each consumer its own, and operators
CONSUMER_PAUSES: Final = "consumer_pauses"  # operators, by `orders consumers`
DEAD_LETTERS: Final = "dead_letters"  # each consumer its own; operators mark them
MIGRATION_STATE: Final = "migrations"  # `orders migrate apply`, while it changes documents
INTEGRATION_LOG: Final = "integration_log"  # all, under derived ids
INSTANCES: Final = "instances"  # each process of a service its own document

TIMEOUT_MS: Final = 10_000  # for one operation, retries and server selection included


@lru_cache(maxsize=65_536)
def _at_rest(value: Decimal) -> Decimal128:
    """Return *value* as it is stored; remembered, since prices recur and converting is slow."""
    return Decimal128(value)


class _Exact(TypeCodec):
    """Money is Decimal in code and Decimal128 at rest."""

    python_type = Decimal
    bson_type = Decimal128

    transform_python = staticmethod(_at_rest)

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


# What is out of range, or no UTF-8, makes no query fail, which would be that of all documents.
CODEC: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    type_registry=TypeRegistry([_Exact()]),
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
DURABLE: Final = WriteConcern(w="majority", j=True)
SNAPSHOT: Final = ReadConcern("snapshot")
COMMITTED: Final = ReadConcern("majority")


def _options(app: str, timeout_ms: int) -> dict[str, Any]:
    return {
        "appname": app,
        "timeoutMS": timeout_ms,
        "serverSelectionTimeoutMS": timeout_ms,
        "retryWrites": True,
        "w": "majority",
        "journal": True,
    }


def client(uri: str, app: str, timeout_ms: int = TIMEOUT_MS) -> MongoClient[Document]:
    """Return a client for a service that runs in one thread; connects when first used."""
    return MongoClient(uri, **_options(app, timeout_ms))


def async_client(uri: str, app: str, timeout_ms: int = TIMEOUT_MS) -> AsyncMongoClient[Document]:
    """Return a client for a service that runs an event loop; connects when first used."""
    return AsyncMongoClient(uri, **_options(app, timeout_ms))
