"""Items of the healing queue: what changed in the reference data, and how far the work on it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.linking import article_key, is_survivor_key, store_key, survivor_key
from enricher.domain.references import changed_keys
from order_contracts import topics
from order_runtime.documents.document import Document
from order_runtime.documents.erasures import id_key


class Stage(StrEnum):
    """What is worked on; the former keys of a contact are forgotten after the last one."""

    KEYS = "keys"  # orders that wait for one of the document's keys are reconciled
    CONTACT = "contact"  # what is a deleted or merged contact's is erased or moved


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last order that was looked at."""

    order_id: str
    registered_at: datetime | None = None
    """In the stage CONTACT, whose orders are walked from the latest to the earliest."""


@dataclass(frozen=True, slots=True)
class Walk:
    """One way through all orders of an item."""

    generation: int
    """The item's when the walk began: what arrived later needs another walk."""
    position: Document | None = None
    """Of the contact then; None where it had no former keys to forget at the end."""
    stage: Stage = Stage.KEYS
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A change that is added to the queue."""

    topic: str
    """Of the reference data."""
    document_id: str
    """Of its document: for a contact a keyed hash."""
    contact_id: str | None = None
    """Of a contact whose orders are to be erased or moved."""
    erased_at: datetime | None = None
    tombstone: bool | None = None
    """Whether the contact's latest record is one; None where that isn't known."""
    position: Document | None = None
    """Of the record that wrote a contact with former keys."""


@dataclass(frozen=True, slots=True)
class HealingItem:
    """A reference document that changed, until all orders that it affects were looked at."""

    topic: str
    document_id: str
    generation: int
    """Grows with each arrival; the item is removed at the generation that was worked on."""
    since: datetime
    contact_id: str | None = None
    erased_at: datetime | None = None
    tombstone: bool = False
    position: Document | None = None
    """Of the record that wrote the contact with former keys that are to be forgotten."""
    walk: Walk | None = None

    @property
    def id(self) -> str:
        return item_id(self.topic, self.document_id)

    @property
    def stage(self) -> Stage:
        return Stage.KEYS if self.walk is None else self.walk.stage

    @property
    def cursor(self) -> Cursor | None:
        return None if self.walk is None else self.walk.cursor

    def begun(self, document: Document | None) -> HealingItem:
        """
        Return the item with its walk, one that begins with *document* where there is none.

        Only a document as its item's record wrote it may lose its former keys then: whoever wrote
        a later one has yet to note that these are an erased contact's.
        """
        if self.walk is not None:
            return self
        written = document is not None and document.get("position") == self.position
        return replace(self, walk=Walk(self.generation, self.position if written else None))

    def at(self, stage: Stage, cursor: Cursor | None = None) -> HealingItem:
        """Return the item with its walk, which must have begun, at another place."""
        walk = self.walk or Walk(self.generation)
        return replace(self, walk=replace(walk, stage=stage, cursor=cursor))

    def keys(self, document: Document | None) -> set[str]:
        """Return the keys of the orders that may wait for it; *document* is None if it is gone."""
        found = changed_keys(self.topic, document or {"_id": self.document_id})
        return found if self.contact_id is None else {*found, id_key(self.contact_id)}


def item_id(topic: str, document_id: str) -> str:
    return f"{topic}/{document_id}"


def item_of_key(key: str, keys: ContactKeys) -> str | None:
    """
    Return the id of the item that heals orders which wait for *key*.

    None for a key that says nothing of the contact's id: such a one is found by its document.
    """
    for topic, prefix in ((topics.ARTICLES, article_key("")), (topics.STORES, store_key(""))):
        if key.startswith(prefix):
            return item_id(topic.name, key.removeprefix(prefix))
    if is_survivor_key(key):
        return item_id(topics.CONTACTS.name, key.removeprefix(survivor_key("")))
    if key.startswith(id_key("")):
        return item_id(topics.CONTACTS.name, keys.hashed(key))
    return None
