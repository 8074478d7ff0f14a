"""Findings about what living processes say of themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from order_operations.diagnosis.facts import Facts, Instance
from order_operations.diagnosis.finding import BACKENDS, PROCESSES, SETUP, Code, Finding, Severity
from order_operations.diagnosis.process_checks import alive
from order_operations.diagnosis.wording import lasting, listed, since
from order_runtime.documents.instances import (
    CERTIFICATE_REFUSED,
    KEYS_FILE_REFUSED,
    RIGHTS_MISSING,
    WEBHOOKS_FILE_REFUSED,
)

NOT_READY: Final = timedelta(seconds=60)
ENDS_SOON: Final = timedelta(days=14)
WAITS: Final = timedelta(seconds=15)  # less is a connection that is made again
SKEW: Final = timedelta(seconds=10)
ROLLOUT: Final = timedelta(hours=1)


def states(facts: Facts) -> Iterator[Finding]:
    """What living processes say of their loops, what they wait for, and whether they are ready."""
    for it in alive(facts):
        yield from _stalled(it, facts.at)
        yield from _waiting(it, facts.at)
        if not it.ready and facts.at - it.started_at > NOT_READY:
            yield Finding(
                Code.NOT_READY,
                Severity.WARNING,
                f"{it.name} runs, and isn't ready.",
                "It takes no work.",
                f"`orders logs {it.name} --level warning`, or its log, says what it waits for.",
                subject=_id(it),
                about=it.service,
                causes=BACKENDS | SETUP | PROCESSES,
            )


def _stalled(instance: Instance, now: datetime) -> Iterator[Finding]:
    if instance.stalled:
        yield Finding(
            Code.LOOP_STALLED,
            Severity.CRITICAL,
            f"{instance.name} stands still ({listed(instance.stalled)}) although Kafka and MongoDB"
            " answer it.",
            "Its partitions are not handled, and nobody else takes them.",
            f"Restart {instance.name}; its log before that is worth keeping.",
            subject=_id(instance),
            about=instance.service,
            since=now,
        )


_REACHES: Final = {
    "kafka": frozenset({*BACKENDS} - {Code.MONGODB_AWAY, Code.MEMBER_AWAY, Code.NO_PRIMARY}),
    "mongodb": frozenset({Code.MONGODB_AWAY, Code.MEMBER_AWAY, Code.NO_PRIMARY, Code.DISK_FULL}),
}


def _waiting(instance: Instance, now: datetime) -> Iterator[Finding]:
    for name, began in instance.waits_for.items():
        if now - began < WAITS:
            continue
        yield Finding(
            Code.BACKEND_OUT_OF_REACH,
            Severity.WARNING,
            f"{instance.name} gets no answer from {name} {since(began, now)}.",
            "It waits, and loses nothing; others may do its work.",
            f"Look at the network between {instance.host} and {name}, and at docs/runbooks/"
            "backends.md.",
            subject=f"{_id(instance)} {name}",
            since=began,
            causes=_REACHES.get(name, BACKENDS),
        )


_MENDED: Final = {
    RIGHTS_MISSING: (
        Code.RIGHTS_MISSING,
        "{name} lacks rights in {subject}: {detail}",
        "It waits until they are granted.",
        "`orders access apply --grant-only`, by somebody who may change rights",
    ),
    WEBHOOKS_FILE_REFUSED: (
        Code.WEBHOOKS_FILE_REFUSED,
        "{name} refused the webhooks file: {detail}",
        "The one before goes on; a process that starts would end.",
        "Correct the file; it is read again within seconds.",
    ),
    KEYS_FILE_REFUSED: (
        Code.KEYS_FILE_REFUSED,
        "{name} can't read the file of the API keys ({detail})",
        "The keys stay as they were: new ones are refused, revoked ones still taken.",
        "Restore the file; `orders keys list` reads it as the gateways do.",
    ),
    CERTIFICATE_REFUSED: (
        Code.CERTIFICATE_REFUSED,
        "{name} can't use the new certificate: {detail}",
        "New connections get the old one, until it ends.",
        "Correct the files of the certificate and its key; they are read again.",
    ),
}


def conditions(facts: Facts) -> Iterator[Finding]:
    """What living processes met that lasts until somebody mends it; once for a service."""
    said = set[tuple[Code, str]]()
    for it in alive(facts):
        for met in it.conditions:
            if met.code not in _MENDED:
                continue
            code, sentence, matters, helps = _MENDED[met.code]
            subject = f"{it.service} {met.subject}".rstrip()
            if (code, subject) in said:
                continue
            said.add((code, subject))
            text = sentence.format(name=it.name, subject=met.subject, detail=met.detail)
            lacks_rights = code is Code.RIGHTS_MISSING
            yield Finding(
                code,
                Severity.CRITICAL if lacks_rights else Severity.WARNING,
                f"{text.rstrip('.')}, {since(met.since, facts.at)}.",
                matters,
                helps,
                subject=subject,
                about=it.service,
                since=met.since,
                causes=frozenset({Code.SERVICE_LACKS_RIGHTS}) if lacks_rights else frozenset(),
            )


def certificates(facts: Facts) -> Iterator[Finding]:
    """Certificates that living processes hold and that end soon; the earliest of each name."""
    ends: dict[tuple[str, str], datetime] = {}
    for it in alive(facts):
        for name, at in it.certificates.items():
            ends[it.service, name] = min(at, ends.get((it.service, name), at))
    for (service, name), at in ends.items():
        left = at - facts.at
        if left > ENDS_SOON:
            continue
        over = left <= timedelta()
        when = f"{lasting(abs(left.total_seconds()))} {'ago' if over else 'from now'}"
        yield Finding(
            Code.CERTIFICATE_ENDED if over else Code.CERTIFICATE_ENDS,
            Severity.CRITICAL if left <= timedelta(days=2) else Severity.WARNING,
            f"The certificate {name} of the {service} {'ended' if over else 'ends'}"
            f" {at:%Y-%m-%d %H:%M}Z, {when}.",
            "From then on nobody who checks it connects.",
            "Issue a new one, as docs/runbooks/certificates.md says.",
            subject=f"{service} {name}",
            about=service,
        )


def clocks(facts: Facts) -> Iterator[Finding]:
    """Clocks that are not MongoDB's: a heartbeat is stored with both."""
    skews = {it.name: it.clock - it.heartbeat_at for it in alive(facts)}
    skews["this machine"] = facts.clock_skew
    wrong = {name: it for name, it in skews.items() if abs(it) > SKEW}
    if wrong:
        said = [f"{name} by {it.total_seconds():+.0f} s" for name, it in wrong.items()]
        yield Finding(
            Code.CLOCKS_DIFFER,
            Severity.WARNING,
            f"Clocks differ from MongoDB's: {listed(said)}.",
            "Deliveries are sent too early or too late, and times in logs mislead.",
            "Have every machine's clock set by NTP (`timedatectl status`).",
        )


def releases(facts: Facts) -> Iterator[Finding]:
    """More than two releases at once, or two for longer than an upgrade takes."""
    living = alive(facts)
    found = sorted({it.version for it in living})
    if len(found) < 2:
        return
    youngest = max(it.started_at for it in living)
    if len(found) > 2 or facts.at - youngest > ROLLOUT:
        names = [f"{it.name} is {it.version}" for it in living]
        yield Finding(
            Code.RELEASES_DIFFER,
            Severity.WARNING,
            f"Processes of {len(found)} releases run side by side: {listed(names)}.",
            "Each release reads what the one before it wrote, and no earlier one.",
            "Finish the upgrade, or take it back: docs/operating.md, Upgrades.",
        )


def _id(instance: Instance) -> str:
    return f"{instance.service}/{instance.name}"
