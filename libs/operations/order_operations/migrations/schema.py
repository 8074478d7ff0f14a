"""
A database made what this release wants: its indexes, their TTLs, and the shape of its documents.

All steps are idempotent and none has a deadline. What is interrupted is gone on with by the next
apply: an index that MongoDB was building is built anew, documents go on at the page that was next.
Services of the release before may run meanwhile, but for the last step: see `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pymongo.database import Database

from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.migrations import document_migrations
from order_operations.migrations.index_plan import IndexStep, StepKind, all_index_steps
from order_runtime.mongo.client import Document
from order_runtime.mongo.collections import COLLECTIONS, MIGRATIONS, Collection, Migration
from order_runtime.mongo.indexes import Index, index_spec
from order_runtime.mongo.list_indexes import read_indexes

Report = Callable[[str], None]
"""Shows a person what is being done now."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that is still to be done, for a person or a program to read."""

    kind: StepKind
    collection: str
    name: str
    """Of the index or the change of documents."""
    documents: int
    """An estimate of what an index is built from; the exact number of those to be changed."""
    detail: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database is to be; that of this release, but for tests."""

    collections: Sequence[Collection] = COLLECTIONS
    migrations: Sequence[Migration] = MIGRATIONS


THIS_RELEASE = Schema()


def plan(address: MongoAddress) -> list[PlannedStep]:
    """Return what `apply` would do; raises OperationFailed where MongoDB doesn't answer."""
    with open_database(address, response_seconds=None) as database:
        return list(planned_steps(database))


def apply(address: MongoAddress, report: Report, *, drop_retired: bool) -> None:
    """
    Do what `plan` shows; *report* is called with a line before each step and each page.

    Indexes that only earlier releases use stay unless *drop_retired* is given: for when no service
    of theirs runs any more. Raises OperationFailed where MongoDB doesn't answer or refuses.
    """
    with open_database(address, response_seconds=None) as database:
        migrate(database, report, drop_retired=drop_retired)


def planned_steps(
    database: Database[Document], schema: Schema = THIS_RELEASE
) -> Iterator[PlannedStep]:
    """Yield what is to be done, in its order."""
    steps = _index_steps(database, schema)
    drops = [it for it in steps if it.kind is StepKind.DROP_INDEX]
    yield from (_planned(database, it) for it in steps if it not in drops)
    for migration in schema.migrations:
        if left := document_migrations.documents_left(database, migration):
            yield PlannedStep(
                StepKind.CHANGE_DOCUMENTS,
                migration.collection,
                migration.name,
                left,
                "change the documents of an earlier release",
            )
    yield from (_planned(database, it) for it in drops)


def migrate(
    database: Database[Document],
    report: Report,
    *,
    drop_retired: bool,
    schema: Schema = THIS_RELEASE,
) -> None:
    """Make *database* what *schema* says; see `apply`."""
    steps = _index_steps(database, schema)
    for step in steps:
        if step.kind is not StepKind.DROP_INDEX:
            _do(database, step, report)
    for migration in schema.migrations:
        document_migrations.migrate_documents(database, migration, report)
    for step in steps:
        if step.kind is StepKind.DROP_INDEX and drop_retired:
            _do(database, step, report)


def _index_steps(database: Database[Document], schema: Schema) -> list[IndexStep]:
    found = {it.name: read_indexes(database, it.name) for it in schema.collections}
    return all_index_steps(schema.collections, found)


def _planned(database: Database[Document], step: IndexStep) -> PlannedStep:
    builds = step.kind in {StepKind.BUILD_INDEX, StepKind.REPLACE_INDEX}
    documents = database[step.collection].estimated_document_count() if builds else 0
    return PlannedStep(step.kind, step.collection, step.index.name, documents, _detail(step))


def _detail(step: IndexStep) -> str:
    match step.kind:
        case StepKind.BUILD_INDEX:
            return f"build it on {_keys(step.index)}"
        case StepKind.REPLACE_INDEX:
            return (
                f"drop {', '.join(step.replaces)} and build it on {_keys(step.index)};"
                " what is read by it is slow until then"
            )
        case StepKind.SET_TTL:
            return f"let documents expire after {step.index.ttl_seconds} s; nothing is rebuilt"
        case _:
            return "drop it once no service of an earlier release runs: --drop-retired"


def _keys(index: Index) -> str:
    return ", ".join(name if direction == 1 else f"{name} down" for name, direction in index.keys)


def _do(database: Database[Document], step: IndexStep, report: Report) -> None:
    name = f"{step.collection}.{step.index.name}"
    report(f"{name}: {_detail(step)}" if step.kind is not StepKind.DROP_INDEX else f"{name}: drop")
    match step.kind:
        case StepKind.SET_TTL:
            ttl = {"name": step.index.name, "expireAfterSeconds": step.index.ttl_seconds}
            database.command({"collMod": step.collection, "index": ttl})
        case StepKind.DROP_INDEX:
            database[step.collection].drop_index(step.index.name)
        case _:
            for replaced in step.replaces:
                database[step.collection].drop_index(replaced)
            specs = [index_spec(step.index)]
            database.command({"createIndexes": step.collection, "indexes": specs})
