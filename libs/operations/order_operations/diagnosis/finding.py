"""What is wrong, said for a person: findings, in the order in which they are to be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final


class Severity(IntEnum):
    """How bad it is; a notice is nothing that is wrong now."""

    CRITICAL = 0
    WARNING = 1
    NOTICE = 2


class Code(StrEnum):
    """Every kind of finding, the likeliest cause of others first."""

    KAFKA_REFUSES = "KafkaRefuses"
    MONGODB_REFUSES = "MongoDBRefuses"
    DISK_FULL = "DiskFull"
    MONGODB_AWAY = "MongoDBAway"
    KAFKA_AWAY = "KafkaAway"
    BROKER_AWAY = "BrokerAway"
    MEMBER_AWAY = "MemberAway"
    NO_PRIMARY = "NoPrimary"
    PARTITIONS_WITHOUT_LEADER = "PartitionsWithoutLeader"
    DATABASE_UNFIT = "DatabaseUnfit"
    TOPICS_DIFFER = "TopicsDiffer"
    SCHEMA_DIFFERS = "SchemaDiffers"
    SERVICE_LACKS_RIGHTS = "ServiceLacksRights"
    RIGHTS_MISSING = "RightsMissing"
    CERTIFICATE_ENDED = "CertificateEnded"
    SERVICE_DOWN = "ServiceDown"
    PROCESS_FAILED = "ProcessFailed"
    PROCESS_SILENT = "ProcessSilent"
    LOOP_STALLED = "LoopStalled"
    BACKEND_OUT_OF_REACH = "BackendOutOfReach"
    WEBHOOKS_FILE_REFUSED = "WebhooksFileRefused"
    KEYS_FILE_REFUSED = "KeysFileRefused"
    CERTIFICATE_REFUSED = "CertificateRefused"
    CONSUMER_PAUSED = "ConsumerPaused"
    ENDPOINT_SHUT = "EndpointShut"
    ENDPOINT_FAILS = "EndpointFails"
    COMMANDS_UNREADABLE = "CommandsUnreadable"
    COMMANDS_MISROUTED = "CommandsMisrouted"
    IDS_REUSED = "IdsReused"
    CONTACTS_MISSING = "ContactsMissing"
    REVOKED_KEY_USED = "RevokedKeyUsed"
    UNKNOWN_KEYS_USED = "UnknownKeysUsed"
    CERTIFICATE_ENDS = "CertificateEnds"
    DISK_FILLS = "DiskFills"
    CLOCKS_DIFFER = "ClocksDiffer"
    RELEASES_DIFFER = "ReleasesDiffer"
    CLIENT_LACKS_RIGHTS = "ClientLacksRights"
    STRANGER_HAS_RIGHTS = "StrangerHasRights"
    RIGHTS_SUPERFLUOUS = "RightsSuperfluous"
    NOT_READY = "NotReady"
    ACTIONS_FAILED = "ActionsFailed"
    DEAD_LETTERS = "DeadLetters"
    CONSUMER_LATE = "ConsumerLate"
    DELIVERIES_LATE = "DeliveriesLate"
    HEALING_LATE = "HealingLate"
    KEY_OLD = "KeyOld"
    SECRET_OLD = "SecretOld"  # noqa: S105  the name of a finding
    NOT_SEEN = "NotSeen"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its sentence, why it matters, and what helps."""

    code: Code
    severity: Severity
    sentence: str
    matters: str
    helps: str
    """A command or an action, as a sentence."""
    subject: str = ""
    """What tells it from others of its code."""
    since: datetime | None = None
    about: str = ""
    """The service that it is about; empty where it may be about several."""
    causes: frozenset[Code] = frozenset()
    """If one of these was found, about the same service or all, this follows from it."""
    follows: tuple[Finding, ...] = ()
    """What follows from it."""

    @property
    def key(self) -> tuple[Code, str]:
        """What stays the same between two looks, while the sentence may change."""
        return self.code, self.subject


_RANK: Final = {code: rank for rank, code in enumerate(Code)}
BACKENDS: Final = frozenset(
    {
        *(Code.KAFKA_REFUSES, Code.MONGODB_REFUSES, Code.DISK_FULL, Code.MONGODB_AWAY),
        *(Code.KAFKA_AWAY, Code.BROKER_AWAY, Code.MEMBER_AWAY, Code.NO_PRIMARY),
        Code.PARTITIONS_WITHOUT_LEADER,
    }
)
SETUP: Final = frozenset(
    {
        *(Code.DATABASE_UNFIT, Code.TOPICS_DIFFER, Code.SCHEMA_DIFFERS),
        *(Code.SERVICE_LACKS_RIGHTS, Code.RIGHTS_MISSING),
    }
)
PROCESSES: Final = frozenset(
    {
        *(Code.SERVICE_DOWN, Code.PROCESS_FAILED, Code.PROCESS_SILENT, Code.LOOP_STALLED),
        *(Code.BACKEND_OUT_OF_REACH, Code.CERTIFICATE_ENDED, Code.CONSUMER_PAUSED),
    }
)
ENDPOINTS: Final = frozenset({Code.ENDPOINT_SHUT, Code.ENDPOINT_FAILS})


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """
    Return the findings that are causes, the worst first, each with what follows from it.

    Of equally bad ones the likelier cause of others comes first; a cause is as bad as the worst
    that follows from it. What follows from several is listed under the first of them.
    """
    found = sorted(findings, key=lambda it: (_RANK[it.code], it.subject))
    roots: list[Finding] = []
    under: dict[tuple[Code, str], list[Finding]] = {}
    for it in found:
        cause = next((root for root in roots if _is_cause(root, it)), None)
        if cause is None:
            roots.append(it)
        else:
            under.setdefault(cause.key, []).append(it)
    whole = [replace(it, follows=tuple(under.get(it.key, ()))) for it in roots]
    return sorted(whole, key=_gravity)


def _is_cause(cause: Finding, finding: Finding) -> bool:
    same = not finding.about or not cause.about or finding.about == cause.about
    return cause.code in finding.causes and same


def _gravity(finding: Finding) -> tuple[int, int, str]:
    worst = min([finding.severity, *(it.severity for it in finding.follows)])
    return worst, _RANK[finding.code], finding.subject
