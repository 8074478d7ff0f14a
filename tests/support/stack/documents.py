"""Inserts and finds documents in the database of a running stack."""

from __future__ import annotations

from collections.abc import Iterable

from pymongo import MongoClient

from order_contracts.events import OrderAction
from order_runtime.mongo.client import JOBS, Document
from support.builders.actions import job_document


def insert_jobs(mongo: str, database: str, actions: Iterable[OrderAction]) -> None:
    with MongoClient[Document](mongo, timeoutMS=10_000) as client:
        client[database][JOBS].insert_many([job_document(action) for action in actions])


def find_documents(mongo: str, database: str, collection: str, where: Document) -> list[Document]:
    with MongoClient[Document](mongo, timeoutMS=10_000, tz_aware=True) as client:
        return list(client[database][collection].find(where))
