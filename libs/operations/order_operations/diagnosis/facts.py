"""What was seen of a system at one moment; everything that is judged is here. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from order_operations.consumers.pauses import Pause
from order_operations.deliveries.endpoint_view import Endpoint
from order_operations.migrations.index_plan import StepKind
from order_operations.topics.plan import TopicStep
from order_runtime.documents.instances import Condition


class Access(StrEnum):
    """Whether Kafka or MongoDB answers."""

    ANSWERS = "answers"
    AWAY = "away"
    REFUSES = "refuses"
    """It answers, and doesn't let this client in."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Kafka or MongoDB, as this client finds it."""

    access: Access = Access.ANSWERS
    address: str = ""
    """Its servers, without a login."""
    detail: str = ""
    """Why it doesn't let the client in."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition as the cluster's metadata shows it; brokers by their ids."""

    topic: str
    number: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Kafka's brokers that are alive, by id with their address, and all partitions of ours."""

    brokers: Mapping[int, str] = field(default_factory=dict)
    partitions: Sequence[Partition] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A server of the replica set."""

    address: str
    answers: bool


@dataclass(frozen=True, slots=True)
class HeldRights:
    """What a principal of Kafka, or a role of MongoDB, lacks or has beyond what it needs."""

    system: str
    """Kafka or MongoDB."""
    holder: str
    workloads: Sequence[str]
    """Whose it is; none, of a principal that no workload has."""
    missing: Sequence[str] = ()
    """Each as in `WRITE on topic orders.commands`."""
    superfluous: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system on which a broker or a mongod keeps its data; sizes in bytes."""

    holder: str
    used: int
    total: int

    @property
    def share(self) -> float:
        return self.used / self.total if self.total else 0.0


class Health(StrEnum):
    """What the health port of a process that is silent answered."""

    UNKNOWN = "unknown"
    """It can't be asked from here."""
    REFUSED = "refused"
    """Nobody listens: the process is gone."""
    HANGS = "hangs"
    """It takes connections and answers nothing: the process is stopped, or has no time."""
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class Instance:
    """A process as it reported itself last; times are MongoDB's but for *clock*."""

    service: str
    name: str
    version: str
    host: str
    health: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    clock: datetime
    """The process's own, when it sent its heartbeat."""
    ready: bool = True
    stopped_at: datetime | None = None
    failure: str | None = None
    waits_for: Mapping[str, datetime] = field(default_factory=dict)
    stalled: Sequence[str] = ()
    conditions: Sequence[Condition] = ()
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    secrets: Mapping[str, datetime] = field(default_factory=dict)
    """Since when the files of its secrets are unchanged, by name."""
    answers: Health = Health.UNKNOWN


@dataclass(frozen=True, slots=True)
class Lag:
    """What a group has not processed of a topic."""

    group: str
    topic: str
    records: int
    seconds: float
    """The age of the oldest of them."""


@dataclass(frozen=True, slots=True)
class LogCount:
    """Open entries of the integration log since Facts.since, of one code."""

    code: str
    count: int
    """At most gather_mongodb.MAX_COUNTED."""
    sources: Sequence[str] = ()
    """Who sent the commands, as far as they said it."""


@dataclass(frozen=True, slots=True)
class NewJobs:
    """The newest jobs since Facts.since whose order was stored, and how many lack a contact."""

    count: int = 0
    without_contact: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetterCount:
    """Dead letters of a topic's records since Facts.since that nobody handled yet."""

    topic: str
    count: int
    """At most gather_mongodb.MAX_COUNTED over all topics."""
    codes: Sequence[str] = ()
    """Why they were set aside."""


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """A step of `orders migrate plan` that is still to be done."""

    kind: StepKind
    name: str
    """Of the index, with its collection, or of the change of documents."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key that is valid."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Login:
    """A profile on this machine, by the name of its file."""

    profile: str
    unchanged_since: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen; what could not be seen is empty, and named in *unanswered*."""

    at: datetime
    """MongoDB's time, or this client's where MongoDB doesn't answer."""
    since: datetime
    """What happened before doesn't count."""
    kafka: Backend = Backend()
    mongodb: Backend = Backend()
    cluster: Cluster = Cluster()
    topic_steps: Sequence[TopicStep] = ()
    lags: Sequence[Lag] = ()
    dead_letters: Sequence[DeadLetterCount] = ()
    members: Sequence[Member] = ()
    server_faults: Sequence[str] = ()
    """A sentence for each requirement that MongoDB doesn't meet."""
    schema_steps: Sequence[SchemaStep] = ()
    disks: Sequence[Disk] = ()
    rights: Sequence[HeldRights] = ()
    """Of those who have others than they need."""
    instances: Sequence[Instance] = ()
    endpoints: Sequence[Endpoint] = ()
    log_counts: Sequence[LogCount] = ()
    new_jobs: NewJobs = NewJobs()
    pauses: Sequence[Pause] = ()
    healing_since: datetime | None = None
    """When the oldest change of reference data came whose orders weren't all looked at."""
    keys: Sequence[Key] = ()
    logins: Sequence[Login] = ()
    secret_age: timedelta = timedelta(days=365)
    """Beyond which a secret is to be changed."""
    release: str = ""
    """This client's."""
    clock_skew: timedelta = timedelta()
    """This client's clock minus MongoDB's."""
    unanswered: Mapping[str, str] = field(default_factory=dict)
    """By what was asked, why there is no answer."""
