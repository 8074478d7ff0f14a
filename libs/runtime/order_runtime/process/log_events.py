"""Names of log events: declared once with their meaning, here and in each service's log_events."""

from __future__ import annotations

from typing import Final, Self


class LogEvent(str):
    """The `event` of a log line, a short phrase; docs/operating.md lists all with their meaning."""

    __slots__ = ("meaning",)

    meaning: str
    """What happened, in one sentence for an operator."""

    def __new__(cls, name: str, meaning: str) -> Self:
        event = super().__new__(cls, name)
        event.meaning = meaning
        return event


CRASHED: Final = LogEvent(
    "crashed", "An error that nobody expected ended the process; the batch in hand is uncommitted."
)
STARTED: Final = LogEvent("started", "The service begins; `version` is its release.")
STOPPED: Final = LogEvent("stopped", "The service was asked to stop, and has.")
SET_RISKILY: Final = LogEvent(
    "set riskily", "At the start: a setting is allowed, and may lose records or stop writes."
)
INDEXES_MISSING: Final = LogEvent(
    "indexes missing", "At the start: MongoDB has not built indexes by which lists are read."
)
CONSUMER_PAUSED: Final = LogEvent(
    "consumer paused", "An operator paused the group, or a topic of it; it takes nothing more."
)
CONSUMER_RESUMED: Final = LogEvent("consumer resumed", "It goes on where it was.")
WAITING_FOR_DATABASE: Final = LogEvent(
    "waiting for the database", "MongoDB is away; nothing is lost."
)
WAITING_FOR_KAFKA: Final = LogEvent("waiting for Kafka", "Kafka is away; nothing is lost.")
DATABASE_IS_BACK: Final = LogEvent(
    "MongoDB is back", "MongoDB answers again, after `after_seconds`."
)
KAFKA_IS_BACK: Final = LogEvent("Kafka is back", "Kafka answers again, after `after_seconds`.")
GAUGES_NOT_REFRESHED: Final = LogEvent(
    "gauges not refreshed", "A query for metrics failed; their gauges stay as they were."
)
HEARTBEAT_NOT_STORED: Final = LogEvent(
    "heartbeat not stored",
    "MongoDB didn't take the process's document in `instances`; `orders doctor` takes the process"
    " for silent until it does.",
)
KAFKA_REFUSES: Final = LogEvent(
    "Kafka refuses",
    "Kafka doesn't let the service in: its login, its certificate, or the brokers' certificate is"
    " wrong; it is tried again, and nothing is lost.",
)
RIGHTS_MISSING: Final = LogEvent(
    "rights missing",
    "Kafka or MongoDB doesn't give the service a right that it needs; it waits, and nothing is"
    " lost. `orders access plan` shows them, `apply` grants them.",
)
RIGHT_REFUSED: Final = LogEvent(
    "right refused",
    "Kafka or MongoDB refused something for want of a right that the service had before; the"
    " process ends, and waits for it when it is started again.",
)
PARTITIONS_ASSIGNED: Final = LogEvent("partitions assigned", "Kafka assigned partitions.")
OFFSETS_NOT_COMMITTED: Final = LogEvent(
    "offsets not committed",
    "Members came or went: the offsets are committed again, or the records come again and change"
    " nothing.",
)
DOCUMENT_UNREADABLE: Final = LogEvent(
    "document unreadable",
    "A stored document is of a newer release, or damaged; only what needs it goes without.",
)
RECORD_SET_ASIDE: Final = LogEvent(
    "record set aside",
    "One record failed alone where others went well, or for a document; it is a dead letter.",
)
NO_FURTHER_DEAD_LETTER: Final = LogEvent(
    "no further dead letter",
    "A record was sent again five times and failed each time; the fifth dead letter is the last.",
)
KEYS_FILE_NOT_READ: Final = LogEvent(
    "keys file not read, the keys stay as they were", "The API keys file is broken or unreadable."
)
METRICS_TOKEN_NOT_READ: Final = LogEvent(
    "metrics token not read, the old one stays",
    "The file of the metrics token changed, and is empty or unreadable.",
)
TRACES_NOT_EXPORTED: Final = LogEvent(
    "traces not exported",
    "Nobody took `spans` spans since the last such line, of which there is one a minute.",
)
