"""Findings about what comes in, what can't be handled, and what waits in Kafka. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from order_contracts.topics import ENRICHER, GATEWAY
from order_operations.diagnosis.facts import Facts, LogCount
from order_operations.diagnosis.finding import (
    BACKENDS,
    ENDPOINTS,
    PROCESSES,
    SETUP,
    Code,
    Finding,
    Severity,
)
from order_operations.diagnosis.process_checks import alive
from order_operations.diagnosis.wording import counted, lasting, listed, percent, since
from order_runtime.documents.instances import KEY_REFUSED, UNKNOWN_KEY

LATE_SECONDS: Final = 60.0
VERY_LATE_SECONDS: Final = 900.0
HEALING_LATE: Final = timedelta(minutes=30)
MISSING_JOBS: Final = 10  # fewer tell nothing
MISSING_SHARE: Final = 0.5
UNKNOWN_REQUESTS: Final = 10


def commands(facts: Facts) -> Iterator[Finding]:
    """Commands of publishers that can't be read, are on the wrong partition, or reuse ids."""
    counts = {it.code: it for it in facts.log_counts}
    ago = lasting((facts.at - facts.since).total_seconds())
    if found := counts.get("CommandRejected"):
        yield Finding(
            Code.COMMANDS_UNREADABLE,
            Severity.WARNING,
            f"A publisher sends what can't be read or applied: {times(found, 'command')} in the"
            f" last {ago}{_sources(found)}.",
            "Each is a Failed job and a dead letter; what it was to do is not done.",
            "`orders dlq list --topic orders.commands` shows each with its reason; tell the"
            " publisher, and drop them (`orders dlq drop`) or replay what can be handled.",
        )
    if found := counts.get("Misrouted"):
        yield Finding(
            Code.COMMANDS_MISROUTED,
            Severity.WARNING,
            "A publisher puts commands on other partitions than their keys belong to:"
            f" {times(found, 'command')} in the last {ago}{_sources(found)}.",
            "Commands of one order may be applied in another order than they were sent in.",
            "Set its partitioner to murmur2 (librdkafka: partitioner=murmur2_random); see"
            " docs/publishing-directly.md.",
        )
    if found := counts.get("IdReused"):
        yield Finding(
            Code.IDS_REUSED,
            Severity.WARNING,
            f"A publisher sends different commands under one id: {times(found, 'command')} in the"
            f" last {ago}{_sources(found)}.",
            "The second one is not applied.",
            "Have it give each command an id of its own, and only a repeat the same.",
        )


def contacts(facts: Facts) -> Iterator[Finding]:
    """Contacts that are missing for most of what is new."""
    new = facts.new_jobs
    if new.without_contact < MISSING_JOBS or new.without_contact < MISSING_SHARE * new.count:
        return
    share = percent(new.without_contact / new.count)
    yield Finding(
        Code.CONTACTS_MISSING,
        Severity.WARNING,
        f"Contacts are missing for {share} of what is new: {new.without_contact} of the last"
        f" {counted(new.count, 'order')}.",
        "These orders have no contact, and their actions are held, then dropped.",
        "See whether contacts still come in (`orders reference count`), and under the keys that"
        " orders name; `orders reference load` loads them, and the orders heal by themselves.",
        about=ENRICHER,
    )


def clients(facts: Facts) -> Iterator[Finding]:
    """API keys that are revoked or unknown, and still used."""
    used: dict[str, int] = {}
    for instance in alive(facts):
        for it in instance.conditions:
            if it.code == KEY_REFUSED:
                used[it.subject] = used.get(it.subject, 0) + (it.count or 0)
    unknown = used.pop(UNKNOWN_KEY, 0)
    for key, count in used.items():
        yield Finding(
            Code.REVOKED_KEY_USED,
            Severity.WARNING,
            f"A client still uses the revoked API key {key}: {_requests(count)} refused lately.",
            "Its orders are not taken.",
            f"Tell its owner (`orders keys list` names it), or make it another one"
            f" (`orders keys rotate {key}`).",
            subject=key,
            about=GATEWAY,
        )
    if unknown >= UNKNOWN_REQUESTS:
        yield Finding(
            Code.UNKNOWN_KEYS_USED,
            Severity.WARNING,
            f"Somebody uses API keys that nobody has: {_requests(unknown)} refused lately.",
            "A client may have a wrong key, or somebody tries keys.",
            "The gateways' access log has their requests (`status` 401); see docs/runbooks/"
            "clients.md.",
            about=GATEWAY,
        )


def dead_letters(facts: Facts) -> Iterator[Finding]:
    """Dead letters that came lately, and that nobody handled."""
    ago = lasting((facts.at - facts.since).total_seconds())
    for it in facts.dead_letters:
        yield Finding(
            Code.DEAD_LETTERS,
            Severity.WARNING,
            f"{counted(it.count, 'record')} of {it.topic} became dead letters in the last {ago}:"
            f" {listed(it.codes)}.",
            "What they were to do is not done.",
            f"`orders dlq list --topic {it.topic}`, then replay or drop them; see docs/runbooks/"
            "dead-letters.md.",
            subject=it.topic,
            causes=frozenset({Code.COMMANDS_UNREADABLE, Code.ACTIONS_FAILED}) | ENDPOINTS,
        )


def pauses(facts: Facts) -> Iterator[Finding]:
    """Consumer groups that an operator has paused."""
    for it in facts.pauses:
        of = f" of {it.topic}" if it.topic else ""
        only = f" --topic {it.topic}" if it.topic else ""
        yield Finding(
            Code.CONSUMER_PAUSED,
            Severity.WARNING,
            f"The {it.group} was paused by {it.by}, and takes nothing{of}"
            f" {since(it.since, facts.at)}.",
            "What comes in waits in Kafka, for as long as the topic keeps it.",
            f"`orders consumers resume {it.group}{only}`",
            subject=f"{it.group} {it.topic or ''}".rstrip(),
            about=it.group,
            since=it.since,
        )


def waiting(facts: Facts) -> Iterator[Finding]:
    """What waits for longer than it should: records, healing, deliveries."""
    for it in facts.lags:
        if it.seconds >= LATE_SECONDS:
            yield Finding(
                Code.CONSUMER_LATE,
                Severity.CRITICAL if it.seconds >= VERY_LATE_SECONDS else Severity.WARNING,
                f"The {it.group} is {lasting(it.seconds)} behind on {it.topic}:"
                f" {counted(it.records, 'record')} wait.",
                "What is new waits behind it.",
                "Start more processes of it, up to one for each partition; see docs/runbooks/"
                "consumers.md.",
                subject=f"{it.group} {it.topic}",
                about=it.group,
                causes=BACKENDS | SETUP | PROCESSES,
            )
    if facts.healing_since and facts.at - facts.healing_since > HEALING_LATE:
        yield Finding(
            Code.HEALING_LATE,
            Severity.WARNING,
            "A change of reference data waits for the orders that it affects"
            f" {since(facts.healing_since, facts.at)}.",
            "Orders whose contact came meanwhile are not connected yet.",
            "It goes on by itself; `orders reference count` shows how much is left.",
            about=ENRICHER,
            since=facts.healing_since,
            causes=BACKENDS | SETUP | PROCESSES,
        )


def times(found: LogCount, noun: str) -> str:
    """Return how many entries there are, as *noun*."""
    return counted(found.count, noun)


def _sources(found: LogCount) -> str:
    """Say who sent the commands, as they say it themselves."""
    named = sorted(it for it in found.sources if it)
    return f", from {listed(named)}" if named else ", without a source"


def _requests(count: int) -> str:
    return f"{counted(count, 'request')} {'was' if count == 1 else 'were'}"
