"""
Stored offsets: where a consumer group goes on, kept in the database beside what it has done. Pure.

One document for each partition, `{_id: "<group>/<topic>/<partition>", topicId, next}`; `next` is
the offset of the first record whose effects the database may lack. A database that is restored to
an earlier time brings its stored offsets along, while those committed to Kafka stay as they were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from order_runtime.documents.document import Document

Partition = tuple[str, int]
"""A topic's name, and the number of one of its partitions."""
Offsets = Mapping[Partition, int]
"""The next offset of each partition."""
Write = tuple[Document, Document | list[Document]]
"""The filter and the update of one document."""


@dataclass(frozen=True, slots=True)
class GroupOffsets:
    """The stored offsets of a consumer group, as queries and updates."""

    group: str
    topic_ids: Mapping[str, str]
    """The ids of its topics by name: a topic that is deleted and made again has another id."""
    partitions: Mapping[str, int] = field(default_factory=dict)
    """How many partitions each topic has, for who asks for all of them."""

    def all_partitions(self) -> list[Partition]:
        return [(it, number) for it in self.topic_ids for number in range(self.partitions[it])]

    def query(self, partitions: Iterable[Partition]) -> Document:
        return {"_id": {"$in": [self._id(it) for it in partitions]}}

    def read(self, documents: Iterable[Document]) -> dict[Partition, int]:
        """Return what *documents* store; an offset of a topic that was made anew counts as none."""
        found: dict[Partition, int] = {}
        for document in documents:
            _, topic, number = document["_id"].rsplit("/", 2)
            if document["topicId"] == self.topic_ids[topic]:
                found[topic, int(number)] = document["next"]
        return found

    def advance(self, offsets: Offsets, seen: Offsets) -> list[Write]:
        """
        Return the writes that raise what is stored to *offsets*; none lowers it.

        A write matches no document where less is stored than *seen*, which was stored before: then
        the database was restored to an earlier time.
        """
        return [
            (
                {
                    "_id": self._id(place),
                    "topicId": self.topic_ids[place[0]],
                    "next": {"$gte": seen.get(place, 0)},
                },
                {"$max": {"next": offset}},
            )
            for place, offset in sorted(offsets.items())
        ]

    def adopt(self, offsets: Offsets) -> list[Write]:
        """
        Return the upserts that begin with *offsets*, where nothing is stored of the topics.

        What is stored of another topic of the name is replaced; a higher offset is kept.
        """
        return [
            ({"_id": self._id(place)}, [{"$set": self._begun(place[0], offset)}])
            for place, offset in sorted(offsets.items())
        ]

    def _begun(self, topic: str, offset: int) -> Document:
        topic_id = {"$literal": self.topic_ids[topic]}
        same = {"$eq": ["$topicId", topic_id]}
        return {
            "topicId": topic_id,
            "next": {"$cond": [same, {"$max": ["$next", offset]}, offset]},
        }

    def _id(self, place: Partition) -> str:
        return f"{self.group}/{place[0]}/{place[1]}"


def behind(stored: Offsets, offsets: Offsets) -> dict[Partition, int]:
    """Return what is stored of the partitions where it is less than *offsets*; 0 for nothing."""
    return {
        place: stored.get(place, 0) for place in offsets if stored.get(place, 0) < offsets[place]
    }


def restored_sentence(group: str, stored: Offsets, offsets: Offsets) -> str:
    """Say that the database is behind *offsets*, and what an operator does about it."""
    places = ", ".join(
        f"{topic} {number} (MongoDB: {at}, read before: {offsets[topic, number]})"
        for (topic, number), at in sorted(stored.items())
    )
    return (
        f"MongoDB is behind Kafka, as after a restore to an earlier time: {places}."
        f" `orders offsets plan` shows where the group {group} is to go on, and"
        " `orders offsets apply` sets it; see docs/operating.md."
    )


def numbered(topic: str, partitions: Collection[int]) -> list[Partition]:
    """Return the partitions of *topic* by their numbers."""
    return [(topic, number) for number in partitions]
