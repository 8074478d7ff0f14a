"""Every topic as data: its limits, who writes it and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

MIB: Final = 1024 * 1024
DAY_MS: Final = 24 * 60 * 60 * 1000
DEFAULT_PARTITIONS: Final = 12
MAX_PARTITIONS: Final = 200  # with more, nobody has tried it
DEAD_LETTER_HEADERS: Final = 64 * 1024  # bytes that the reason and the origin may add to a record

GATEWAY: Final = "gateway"
WRITER: Final = "order-writer"
ENRICHER: Final = "enricher"
TRIGGER: Final = "action-trigger"
PUBLIC: Final = "public"  # other systems
OPERATOR: Final = "operator"  # people, by the `orders` command
MIGRATOR: Final = "migrator"  # `orders topics apply` and `orders migrate apply`


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; its key is the order's id unless it carries reference data or dead letters."""

    name: str
    writers: frozenset[str]
    readers: frozenset[str]
    retention_ms: int | None = 7 * DAY_MS  # None: compacted, kept for good
    max_message_bytes: int = MIB
    partitions: int = DEFAULT_PARTITIONS
    """A deployment may have another number, the same for all topics."""

    @property
    def config(self) -> Mapping[str, str]:
        """
        Return the broker's settings for this topic.

        LogAppendTime, because a publisher's clock must neither delete its records unread
        (a week behind) nor have them refused (an hour ahead). No unclean leader, because it
        would lack records that were acknowledged. What other systems write is stored
        uncompressed: otherwise `max.message.bytes` limits the compressed size alone, and a record
        of a few kilobytes may inflate to gigabytes in each consumer.
        """
        kept = (
            {
                "cleanup.policy": "compact",
                "delete.retention.ms": str(30 * DAY_MS),
                # A record says what the next one of its key doesn't, such as that it was merged.
                "min.compaction.lag.ms": str(7 * DAY_MS),
            }
            if self.retention_ms is None
            else {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        )
        stored = {"compression.type": "uncompressed"} if PUBLIC in self.writers else {}
        return MappingProxyType(
            kept
            | stored
            | {
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(self.max_message_bytes),
                "unclean.leader.election.enable": "false",
            }
        )


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


def _dead_letters(of: Topic, writer: str) -> Topic:
    return Topic(
        f"{of.name}.dlq",
        writers=_of(writer),
        readers=frozenset(),
        retention_ms=14 * DAY_MS,
        max_message_bytes=of.max_message_bytes + DEAD_LETTER_HEADERS,
    )


COMMANDS: Final = Topic("orders.commands", _of(GATEWAY, ENRICHER, PUBLIC), _of(WRITER))
EVENTS: Final = Topic(
    "orders.events", _of(WRITER), _of(ENRICHER, PUBLIC), max_message_bytes=4 * MIB
)
ENRICHED: Final = Topic("orders.enriched", _of(ENRICHER), _of(PUBLIC))
ACTIONS: Final = Topic(
    "orders.actions", _of(ENRICHER), _of(TRIGGER, PUBLIC), max_message_bytes=4 * MIB
)
DELIVERIES: Final = Topic("orders.deliveries", _of(TRIGGER), _of(PUBLIC))
COMMANDS_DLQ: Final = _dead_letters(COMMANDS, WRITER)
EVENTS_DLQ: Final = _dead_letters(EVENTS, ENRICHER)
ACTIONS_DLQ: Final = _dead_letters(ACTIONS, TRIGGER)
HANDLED: Final = Topic(  # which dead letters were replayed or dropped; kept longer than these
    "orders.dlq.handled", _of(OPERATOR), frozenset(), retention_ms=15 * DAY_MS
)
CONTACTS: Final = Topic("reference.contacts", _of(PUBLIC), _of(ENRICHER), retention_ms=None)
ARTICLES: Final = Topic("reference.articles", _of(PUBLIC), _of(ENRICHER), retention_ms=None)
STORES: Final = Topic("reference.stores", _of(PUBLIC), _of(ENRICHER), retention_ms=None)

TOPICS: Final = (
    COMMANDS,
    EVENTS,
    ENRICHED,
    ACTIONS,
    DELIVERIES,
    COMMANDS_DLQ,
    EVENTS_DLQ,
    ACTIONS_DLQ,
    HANDLED,
    CONTACTS,
    ARTICLES,
    STORES,
)


def topics_with(partitions: int) -> tuple[Topic, ...]:
    """Return all topics as a deployment has them that chose another number of partitions."""
    return tuple(replace(topic, partitions=partitions) for topic in TOPICS)
