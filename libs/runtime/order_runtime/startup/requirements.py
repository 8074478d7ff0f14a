"""Requirements on topics and on MongoDB, and a sentence for each that isn't met. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from order_contracts.topics import PUBLIC, Topic, topics_with
from order_runtime.documents.jobs import RETENTION
from order_runtime.mongo.collections import Collection
from order_runtime.mongo.indexes import FoundIndex, Index

MONGODB_6_WIRE_VERSION: Final = 17  # MongoDB 6.0, as servers tell it: maxWireVersion
TRANSACTION_SECONDS: Final = 10
MAX_CLOCK_SKEW: Final = timedelta(minutes=1)
_AT_LEAST: Final = frozenset({"retention.ms", "delete.retention.ms", "min.compaction.lag.ms"})
_RETENTION: Final = "retention.ms"
_COMPRESSION: Final = "compression.type"  # a risk, no violation: consumers bear what is stored
_LEDGER_MS: Final = RETENTION // timedelta(milliseconds=1)

FoundIndexes = Sequence[FoundIndex]


@dataclass(frozen=True, slots=True)
class ObservedTopic:
    """A topic as the broker has it; a topic that was deleted and made again has another id."""

    id: str
    partitions: int
    replicas: int
    """Of the partition that has the fewest."""
    config: Mapping[str, str] | None
    """None where we may not know."""


@dataclass(frozen=True, slots=True)
class OtherSetting:
    """A setting of a topic that isn't what the contract says."""

    name: str
    found: str
    needed: str

    @property
    def kept_too_long(self) -> bool:
        return self.name == _RETENTION and _milliseconds(self.found) > int(self.needed)


@dataclass(frozen=True, slots=True)
class MongoServer:
    """A MongoDB server: what it answers to `hello`, and how long a transaction may last."""

    hello: Mapping[str, Any]
    transaction_seconds: int | None
    """None where we may not know."""


def topics_used_by(service: str, partitions: int) -> tuple[Topic, ...]:
    """Return the topics that *service* reads or writes, each with *partitions*."""
    topics = topics_with(partitions)
    return tuple(topic for topic in topics if service in topic.readers | topic.writers)


def topic_violations(topic: Topic, found: ObservedTopic) -> Iterator[str]:
    """Yield a sentence for each setting of *topic* with which the contract can't be kept."""
    if found.partitions != topic.partitions:
        yield (
            f"{topic.name} has {found.partitions} partitions, needed: {topic.partitions};"
            " another number breaks the order of what has the same key."
        )
    if found.config is None:
        return
    for it in other_settings(topic, found.config):
        if it.kept_too_long:
            yield (
                f"{topic.name}: {it.name} is {it.found}, needed: less than {_LEDGER_MS}; a job is"
                " forgotten then, and its command would be applied again."
            )
        elif it.name != _COMPRESSION:
            least = "at least " if it.name in _AT_LEAST else ""
            yield f"{topic.name}: {it.name} is {it.found}, needed: {least}{it.needed}."


def other_settings(topic: Topic, config: Mapping[str, str]) -> Iterator[OtherSetting]:
    """
    Yield each setting of *topic* that isn't what the contract says.

    Times may be longer; but what a service reads must not be kept for longer than its jobs.
    """
    for name, needed in topic.config.items():
        it = OtherSetting(name, config.get(name, "not set"), needed)
        if it.found != needed and not _long_enough(topic, it):
            yield it


def topic_risks(topic: Topic, found: ObservedTopic) -> Iterator[str]:
    """Yield a sentence for each setting that is allowed but risky, as on a single broker."""
    if found.config is None:
        yield "The broker doesn't tell the settings; nobody compared them."
        return
    in_sync = int(found.config.get("min.insync.replicas", 1))
    if found.replicas < 2 or in_sync < 2:
        yield (
            f"Replicas are {found.replicas} and min.insync.replicas {in_sync}: a broker that is"
            " lost may take acknowledged records along."
        )
    elif in_sync >= found.replicas:
        yield f"Replicas and min.insync.replicas are {in_sync}: no broker may be away."
    stored = found.config.get(_COMPRESSION, "producer")
    if stored != topic.config.get(_COMPRESSION, stored):
        yield (
            f"compression.type is {stored}, better: {topic.config[_COMPRESSION]}; a record within"
            " max.message.bytes may inflate to a gigabyte in every consumer."
        )


def server_violations(server: MongoServer) -> Iterator[str]:
    """Yield a sentence where commands can't be applied in transactions."""
    if "setName" not in server.hello and server.hello.get("msg") != "isdbgrid":
        yield "MongoDB is not a replica set, needed: one, of a single member at least."
    version = server.hello.get("maxWireVersion", 0)
    if version < MONGODB_6_WIRE_VERSION:
        yield (
            f"MongoDB's wire version is {version}, needed: at least {MONGODB_6_WIRE_VERSION},"
            " which is MongoDB 6.0."
        )


def server_risks(server: MongoServer, now: datetime) -> Iterator[str]:
    """Yield a sentence for each setting that makes recovery slow or times misleading."""
    seconds = server.transaction_seconds
    if seconds is not None and seconds > TRANSACTION_SECONDS:
        yield (
            f"transactionLifetimeLimitSeconds is {seconds}, better: {TRANSACTION_SECONDS};"
            " for so long a killed order-writer keeps its orders locked."
        )
    skew = abs(server.hello["localTime"] - now)
    if skew > MAX_CLOCK_SKEW:
        yield f"The clock and ours are {skew.total_seconds():.0f} s apart."


def index_violations(
    found: Mapping[str, FoundIndexes], needed: Iterable[Collection]
) -> Iterator[str]:
    """Yield a sentence that names all indexes that *needed* lacks; *found* is by collection."""
    missing = [
        f"{it.name}.{index.name}"
        for it in needed
        for index in it.indexes
        if not _usable(index, found[it.name])
    ]
    if missing:
        yield (
            f"MongoDB has not built indexes that this release needs: {', '.join(missing)}."
            " `orders migrate apply` builds them; see docs/operating.md."
        )


def index_risks(found: Mapping[str, FoundIndexes], needed: Iterable[Collection]) -> Iterator[str]:
    """Yield a sentence where documents expire earlier or later than this release says."""
    other = [
        f"{it.name}.{index.name} ({there.index.ttl_seconds} s, better: {index.ttl_seconds} s)"
        for it in needed
        for index in it.indexes
        for there in found[it.name]
        if there.index.name == index.name and there.index.ttl_seconds != index.ttl_seconds
    ]
    if other:
        yield (
            f"Documents expire by another time than this release says: {', '.join(other)};"
            " `orders migrate apply` sets it."
        )


def _usable(wanted: Index, found: FoundIndexes) -> bool:
    return any(
        it.built and it.index.name == wanted.name and it.index.same_shape(wanted) for it in found
    )


def _long_enough(topic: Topic, setting: OtherSetting) -> bool:
    if setting.name not in _AT_LEAST or _milliseconds(setting.found) < int(setting.needed):
        return False
    return setting.name != _RETENTION or not _outlives_jobs(topic, setting.found)


def _outlives_jobs(topic: Topic, retention: str) -> bool:
    """Return whether records that a service reads, or a replay sends again, outlive their jobs."""
    return topic.readers != {PUBLIC} and _milliseconds(retention) >= _LEDGER_MS


def _milliseconds(value: str) -> float:
    """Return a time as brokers write it; -1 is for ever."""
    try:
        return float("inf") if value == "-1" else float(value)
    except ValueError:
        return 0.0
