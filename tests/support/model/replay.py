"""Replays a whole log with the model: every record and its expected job. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from support.history.log_record import LogRecord, in_log_order
from support.model.log_reader import ReadRecord, read_record
from support.model.model import CommandResult, OrderModel, Transition, failure


@dataclass(frozen=True, slots=True)
class ExpectedJob:
    """The job that a record must have."""

    job_id: str
    source: ReadRecord
    """The first record of the command."""
    result: CommandResult
    step: Transition | None = None
    """Its transition in the model; None if it is invalid, or has another command's id."""

    @property
    def order_id(self) -> str | None:
        command = self.source.command
        return command.order_id if command else self.source.record.name

    @property
    def operation(self) -> str:
        return self.source.command.kind if self.source.command else "Unknown"


@dataclass
class Replay:
    """The state of a replay; partitions are replayed one after the other, by offset."""

    model: OrderModel = field(default_factory=OrderModel)
    jobs: dict[str, ExpectedJob] = field(default_factory=dict)
    jobs_by_record: list[tuple[ReadRecord, ExpectedJob]] = field(default_factory=list)
    """Every record with its job; a repeat has the job of the first."""
    unordered: set[str] = field(default_factory=set)
    """Orders with commands on several partitions: the order of these is undefined."""

    def take(self, item: ReadRecord) -> None:
        job = self._known(item)
        if job is None:
            job = self._settled(item)
            self.jobs[job.job_id] = job
        self.jobs_by_record.append((item, job))

    def _known(self, item: ReadRecord) -> ExpectedJob | None:
        again = self.jobs.get(item.replayed_job or "")
        if again is not None and again.source.content == item.content:
            return again
        job = self.jobs.get(item.job_id)
        if job is None or job.source.fingerprint == item.fingerprint:
            return job
        return self.jobs.get(item.fallback_id)

    def _settled(self, item: ReadRecord) -> ExpectedJob:
        reused = item.job_id in self.jobs
        job_id = item.fallback_id if reused else item.job_id
        if item.command is None:
            return ExpectedJob(job_id, item, CommandResult(code="ValidationFailed", status=400))
        if reused:
            return ExpectedJob(job_id, item, failure("IdReused"))
        result = self.model.apply(item.command)
        return ExpectedJob(job_id, item, result, self.model.jobs[item.command.job_id])


def replay(records: Iterable[LogRecord], topic_id: str) -> Replay:
    """Replay the records of `orders.commands`."""
    replay = Replay()
    partitions: defaultdict[str, set[int]] = defaultdict(set)
    for record in in_log_order(records):
        item = read_record(record, topic_id)
        replay.take(item)
        if item.command is not None:
            partitions[item.command.order_id].add(record.partition)
    replay.unordered = {name for name, found in partitions.items() if len(found) > 1}
    return replay
