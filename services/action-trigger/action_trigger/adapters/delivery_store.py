"""Deliveries in MongoDB, from the recorded action to the announced outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING, AsyncMongoClient, UpdateOne
from pymongo.errors import BulkWriteError

from action_trigger.adapters.delivery_documents import (
    CONTENT_FIELDS,
    attempt_update,
    ended_delivery_of,
    erased_delivery,
    give_up_update,
    new_delivery,
    original_record_of,
    record_document,
    webhook_of,
)
from action_trigger.adapters.readable_page import Page, first_readable
from action_trigger.domain.delivery import Attempt, EndedDelivery, PendingDelivery, ReceivedAction
from order_runtime.documents.deliveries import (
    FAILED,
    PENDING,
    REPLAYABLE,
    redaction_update,
    replay_update,
)
from order_runtime.documents.erasures import id_key, key_hash
from order_runtime.kafka.records import Record
from order_runtime.mongo import erasure_store, merge_store
from order_runtime.mongo.client import ACTION_DELIVERIES, CODEC, ERASURES, MERGES, Document
from order_runtime.mongo.errors import duplicates
from order_runtime.process.unreadable import all_readable, readable


class DeliveryStore:
    """
    One document for each action, with the action's id: MongoDB refuses duplicates.

    A document that can't be read is passed over, and takes no other's place in a list.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str, secret: bytes) -> None:
        self._all = client.get_database(database)[ACTION_DELIVERIES].with_options(CODEC)
        self._erasures = client.get_database(database, codec_options=CODEC)[ERASURES]
        self._merges = client.get_database(database, codec_options=CODEC)[MERGES]
        self._secret = secret

    async def same_secret(self) -> None:
        """Raise RequirementNotMet where the hashes of erased contacts have another secret."""
        await erasure_store.require_same_secret(self._erasures, self._secret)

    async def record(
        self, actions: Sequence[ReceivedAction], now: datetime
    ) -> Sequence[ReceivedAction]:
        """
        Insert new deliveries, due at once; those that exist stay as they are.

        Only a record that an operator replayed makes a failed delivery pending again, and only
        once, because the delivery then has that record's place.

        Returns the actions, or none where some of their deliveries are to be read back: one
        existed, or its contact was erased or merged.
        """
        erased, survivors = await asyncio.gather(self._erased(actions), self._survivors(actions))
        counted = [
            replace(item, contact_id=survivors.get(item.contact_id, item.contact_id))
            for item in actions
        ]
        documents = [
            erased_delivery(item, now) if item.action_id in erased else new_delivery(item, now)
            for item in counted
        ]
        as_received = not erased and not survivors
        try:
            await self._all.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            duplicates(error)  # raises what is none
            as_received = False
        await self._write([_retry_failed(item, now) for item in actions if item.replay])
        # Checked again: who merges or erases a contact stores that first, and looks for recorded
        # deliveries then.
        erased, survivors = await asyncio.gather(self._erased(actions), self._survivors(counted))
        for contact_id, survivor in survivors.items():
            ids = [item.action_id for item in counted if item.contact_id == contact_id]
            merged = {"_id": {"$in": ids}, "contactId": contact_id}
            await self._all.update_many(merged, {"$set": {"contactId": survivor}})
        if erased:
            not_redacted = {"_id": {"$in": list(erased)}, **REPLAYABLE}
            await self._all.update_many(not_redacted, redaction_update(now))
        as_received = as_received and not erased and not survivors
        return actions if as_received else ()

    async def _survivors(self, actions: Sequence[ReceivedAction]) -> dict[str, str]:
        """Return the contacts that those of the actions count as which were merged."""
        ids = {key_hash(self._secret, id_key(it.contact_id)): it.contact_id for it in actions}
        found = await merge_store.find_survivors(self._merges, ids)
        return {
            ids[id_hash]: survivor.contact_id
            for id_hash, survivor in found.items()
            if survivor.contact_id is not None
        }

    async def _erased(self, actions: Sequence[ReceivedAction]) -> set[str]:
        """Return the ids of actions whose contact was erased after the action was requested."""
        keys = [id_key(item.contact_id) for item in actions]
        hashes = [key_hash(self._secret, key) for key in keys]
        known = await erasure_store.find_erasures(self._erasures, set(hashes))
        return {
            item.action_id
            for item, key_hash in zip(actions, hashes, strict=True)
            if key_hash in known and known[key_hash].covers(item.registered_at, item.accepted_at)
        }

    async def bodies(self, ids: Collection[str]) -> dict[str, str]:
        """Return the webhook bodies of those deliveries that are still pending, by id."""
        if not ids:
            return {}
        # Not by the index of states, which MongoDB would read from its beginning.
        where = {"_id": {"$in": list(ids)}, "state": PENDING}
        found = self._all.find(where, CONTENT_FIELDS, hint="_id_")
        return dict(all_readable(ACTION_DELIVERIES, await found.to_list(), webhook_of))

    async def is_pending(self, action_id: str) -> bool:
        return (
            await self._all.find_one({"_id": action_id, "state": PENDING}, {"_id": 1}) is not None
        )

    async def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Record attempts and their outcomes; idempotent."""
        await self._write([attempt_update(attempt) for attempt in attempts])

    async def give_up(self, overdue: Sequence[PendingDelivery], reason: str, now: datetime) -> None:
        """End deliveries without another attempt."""
        await self._write([give_up_update(delivery, reason, now) for delivery in overdue])

    async def unannounced(self, partitions: Collection[int], limit: int) -> list[EndedDelivery]:
        """Return deliveries whose state changed and isn't announced, the oldest change first."""
        where = {"partition": {"$in": sorted(partitions)}, "announced": False}
        fields = {"body": 0, "record": 0, "attempts.answer": 0}
        page = Page(where, fields, "unannounced", {"since": ASCENDING}, limit)
        return await first_readable(self._all, page, ended_delivery_of)

    async def original(self, action_id: str) -> Record | None:
        """Return the record of the action; None where it has expired, was erased or is damaged."""
        document = await self._all.find_one({"_id": action_id}, {"record": 1})
        if document is None or "record" not in document:
            return None
        return readable(ACTION_DELIVERIES, document, original_record_of)

    async def announced(self, ended: Sequence[EndedDelivery]) -> None:
        """Mark states as announced; one that has changed since stays unannounced."""
        # One update of many costs MongoDB half of what an update of each does. What has changed
        # since is in another state, or in the same again at a later time than any of these.
        for state in {item.state for item in ended}:
            some = [item for item in ended if item.state == state]
            as_they_were = {
                "_id": {"$in": [item.id for item in some]},
                "state": state,
                "since": {"$in": [item.at for item in some]},
            }
            # Not by the index of states, whatever MongoDB thinks of it: that has all that ended.
            await self._all.update_many(as_they_were, {"$set": {"announced": True}}, hint="_id_")

    async def _write(self, writes: list[UpdateOne]) -> None:
        if writes:
            await self._all.bulk_write(writes, ordered=False)


def _retry_failed(item: ReceivedAction, now: datetime) -> UpdateOne:
    record, update = item.record, replay_update(now)
    earlier = [
        {"partition": record.partition, "offset": {"$lt": record.offset}},
        # In a topic that was made anew offsets begin again, and with more partitions a key moves.
        {"record.at": {"$lt": record.at}},
    ]
    where = {"_id": item.action_id, "state": FAILED, **REPLAYABLE, "$or": earlier}
    # The record as well: its headers count the dead letters that there were of it.
    replayed = {"offset": record.offset, "record": record_document(record)}
    return UpdateOne(where, update | {"$set": update["$set"] | replayed})
