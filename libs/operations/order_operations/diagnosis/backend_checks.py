"""Findings about Kafka and MongoDB: whether they answer, and are what is needed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from order_operations.diagnosis.facts import Access, Backend, Facts, Partition
from order_operations.diagnosis.finding import BACKENDS, Code, Finding, Severity
from order_operations.diagnosis.wording import counted, listed, percent, size
from order_operations.migrations.index_plan import StepKind
from order_operations.topics.plan import TopicStepKind

DISK_FILLS: Final = 0.85
DISK_FULL: Final = 0.95
_RESTART: Final = (
    "Start its {what} again (`orders start --all` on a stack of this machine); see"
    " docs/runbooks/backends.md."
)


def access(facts: Facts) -> Iterator[Finding]:
    """Whether this client reaches Kafka and MongoDB at all."""
    if facts.mongodb.access is Access.AWAY:
        yield _no_primary(facts) if any(it.answers for it in facts.members) else _no_mongodb(facts)
    if facts.kafka.access is Access.AWAY:
        yield Finding(
            Code.KAFKA_AWAY,
            Severity.CRITICAL,
            f"Kafka doesn't answer{_at(facts.kafka)}.",
            "Every write is refused with 503, for its client to send again; nothing moves on.",
            _RESTART.format(what="brokers"),
            causes=frozenset({Code.DISK_FULL}),
        )
    if facts.mongodb.access is Access.REFUSES:
        yield _refuses(Code.MONGODB_REFUSES, "MongoDB", facts.mongodb)
    if facts.kafka.access is Access.REFUSES:
        yield _refuses(Code.KAFKA_REFUSES, "Kafka", facts.kafka)


def _no_mongodb(facts: Facts) -> Finding:
    return Finding(
        Code.MONGODB_AWAY,
        Severity.CRITICAL,
        f"MongoDB doesn't answer{_at(facts.mongodb)}.",
        "Orders are still accepted and wait in Kafka; reads are answered 503, nothing is stored or"
        " delivered. What the processes report of themselves is in it, and can't be seen.",
        _RESTART.format(what="servers"),
        causes=frozenset({Code.DISK_FULL}),
    )


def _no_primary(facts: Facts) -> Finding:
    away = [it.address for it in facts.members if not it.answers]
    said = f": {listed(away)} {'is' if len(away) == 1 else 'are'} away" if away else ""
    return Finding(
        Code.NO_PRIMARY,
        Severity.CRITICAL,
        f"MongoDB has no primary{said}.",
        "Orders are still accepted and wait in Kafka; nothing is stored or delivered.",
        _RESTART.format(what="servers"),
        causes=frozenset({Code.DISK_FULL}),
    )


def _refuses(code: Code, name: str, backend: Backend) -> Finding:
    return Finding(
        code,
        Severity.CRITICAL,
        f"{name} doesn't let this command in{_at(backend)}: {backend.detail}.",
        "Nothing of it can be checked; the services may have logins that work.",
        "Correct the login or the certificates of the profile (--profile, ORDERS_PROFILE).",
    )


def brokers(facts: Facts) -> Iterator[Finding]:
    """Brokers that hold replicas and aren't alive; partitions that nobody leads."""
    alive, partitions = facts.cluster.brokers, facts.cluster.partitions
    away = sorted({it for each in partitions for it in each.replicas} - set(alive))
    leaderless = [it for it in partitions if it.leader is None or it.leader not in alive]
    if away:
        lacking = [it for it in partitions if set(it.replicas) & set(away)]
        yield Finding(
            Code.BROKER_AWAY,
            Severity.CRITICAL if leaderless else Severity.WARNING,
            f"Kafka's {_brokers(away)} {'is' if len(away) == 1 else 'are'} away:"
            f" {_of(lacking, 'lack a replica', 'lacks a replica')},"
            f" {_of(leaderless, 'have no leader', 'has no leader')}.",
            _without_leader(leaderless)
            or "Writes go on; another broker that is lost may stop them.",
            f"Start {_brokers(away)} again (`orders start --all` on a stack of this machine); its"
            " log says why it ended.",
            causes=frozenset({Code.DISK_FULL}),
        )
    elif leaderless:
        yield Finding(
            Code.PARTITIONS_WITHOUT_LEADER,
            Severity.CRITICAL,
            f"{_of(leaderless, 'have no leader', 'has no leader')}, although all brokers are alive:"
            f" {listed(sorted({it.topic for it in leaderless}))}.",
            _without_leader(leaderless),
            "Look into the brokers' logs: replicas that were in sync may have lost their disk.",
            causes=frozenset({Code.DISK_FULL}),
        )


def members(facts: Facts) -> Iterator[Finding]:
    """Servers of the replica set that don't answer, while the primary does."""
    away = [it.address for it in facts.members if not it.answers]
    if away and facts.mongodb.access is Access.ANSWERS:
        yield Finding(
            Code.MEMBER_AWAY,
            Severity.WARNING,
            f"Of MongoDB's {counted(len(facts.members), 'server')} {listed(away)}"
            f" {'is' if len(away) == 1 else 'are'} away.",
            "The others go on; one more that is lost may leave no primary.",
            f"Start {listed(away)} again; its log says why it ended.",
            causes=frozenset({Code.DISK_FULL}),
        )


def disks(facts: Facts) -> Iterator[Finding]:
    """Disks of brokers and mongods that fill."""
    for disk in facts.disks:
        if disk.share < DISK_FILLS:
            continue
        full = disk.share >= DISK_FULL
        yield Finding(
            Code.DISK_FULL if full else Code.DISK_FILLS,
            Severity.CRITICAL if full else Severity.WARNING,
            f"The disk of {disk.holder} is {percent(disk.share)} full:"
            f" {size(disk.total - disk.used)} of {size(disk.total)} are left.",
            "A broker or mongod whose disk is full ends, and starts again only once there is room.",
            "Give it a larger disk, or delete what isn't its own; what Kafka keeps is said by"
            " `orders topics plan`, and what MongoDB keeps by docs/operating.md, Retention.",
            subject=disk.holder,
        )


def requirements(facts: Facts) -> Iterator[Finding]:
    """What MongoDB, its indexes and documents, and the topics are to be."""
    if facts.server_faults:
        yield Finding(
            Code.DATABASE_UNFIT,
            Severity.CRITICAL,
            " ".join(facts.server_faults),
            "Consumers refuse to start on it.",
            "Set it up as docs/operating.md says under MongoDB.",
        )
    yield from _schema(facts)
    yield from _topics(facts)


def _schema(facts: Facts) -> Iterator[Finding]:
    missing = [it for it in facts.schema_steps if it.kind is not StepKind.DROP_INDEX]
    if missing:
        indexes = [it for it in missing if it.kind is not StepKind.CHANGE_DOCUMENTS]
        yield Finding(
            Code.SCHEMA_DIFFERS,
            Severity.CRITICAL if indexes else Severity.WARNING,
            "The database isn't what this release wants:"
            f" {listed([f'{it.name} ({it.kind})' for it in missing])}.",
            "Consumers that start refuse to run without their indexes, and lists are slow.",
            "`orders migrate apply`",
        )


def _topics(facts: Facts) -> Iterator[Finding]:
    if not facts.topic_steps:
        return
    missing = sorted({it.topic for it in facts.topic_steps if it.kind is _CREATE})
    other = [it for it in facts.topic_steps if it.kind is not _CREATE]
    said = [f"{it.topic}: {it.setting} is {it.found}, wanted: {it.wanted}" for it in other]
    parts = [f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"] if missing else []
    yield Finding(
        Code.TOPICS_DIFFER,
        Severity.CRITICAL,
        f"Kafka's topics aren't what the contract wants: {'; '.join([*parts, *said[:3]])}"
        f"{f'; and {len(said) - 3} more' if len(said) > 3 else ''}.",
        "Records may be lost, refused or out of order; consumers that start refuse to run.",
        "`orders topics plan` shows all of it, `orders topics apply` mends what it may.",
        causes=frozenset({Code.BROKER_AWAY}),
    )


_CREATE: Final = TopicStepKind.CREATE_TOPIC


def unanswered(facts: Facts) -> Iterator[Finding]:
    """What could not be looked at although its backend answers."""
    by_reason = defaultdict[str, list[str]](list)
    for question, reason in facts.unanswered.items():
        by_reason[reason].append(question)
    for reason, questions in by_reason.items():
        yield Finding(
            Code.NOT_SEEN,
            Severity.NOTICE,
            f"Not looked at: {listed(questions)} ({reason}).",
            "Something may be wrong there that isn't said here.",
            "A login with more rights sees more; what takes too long may be asked again.",
            subject=reason,
            causes=BACKENDS,
        )


def _at(backend: Backend) -> str:
    return f" at {backend.address}" if backend.address else ""


def _brokers(ids: list[int]) -> str:
    return f"{'broker' if len(ids) == 1 else 'brokers'} {listed([str(it) for it in ids])}"


def _of(partitions: list[Partition], plural: str, singular: str) -> str:
    return f"{counted(len(partitions), 'partition')} {singular if len(partitions) == 1 else plural}"


def _without_leader(leaderless: Iterable[Partition]) -> str:
    topics = sorted({it.topic for it in leaderless})
    return f"What belongs to them is neither taken nor handled: {listed(topics)}." if topics else ""
