"""A test's own database with the indexes that a service needs, made as operators make them."""

from __future__ import annotations

from order_operations.migrations.schema import Schema, migrate
from order_runtime.mongo.client import client
from order_runtime.mongo.collections import collections_of


def migrate_database(mongo: str, database: str, service: str) -> None:
    """Give *database* the indexes of all collections that *service* uses."""
    with client(mongo, "test") as connected:
        schema = Schema(collections_of(service), migrations=())
        migrate(connected[database], lambda _: None, drop_retired=True, schema=schema)
