"""What the contract makes of a whole log: each record in its place, by the model. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from support.laws.records import Record, in_place
from support.model.log_reader import Read, read
from support.model.model import End, Model, Step, failed


@dataclass(frozen=True, slots=True)
class Expected:
    """The job that a record must have."""

    job_id: str
    read: Read
    """The first record that asked for it."""
    end: End
    step: Step | None = None
    """What it did in the model; None where it is no valid command, or came under another's id."""

    @property
    def order_id(self) -> str | None:
        command = self.read.command
        return command.order_id if command else self.read.record.name

    @property
    def operation(self) -> str:
        return self.read.command.kind if self.read.command else "Unknown"


@dataclass
class Replay:
    """Each partition is replayed in the order of its offsets, one after the other."""

    model: Model = field(default_factory=Model)
    jobs: dict[str, Expected] = field(default_factory=dict)
    answers: list[tuple[Read, Expected]] = field(default_factory=list)
    """Every record with its job; repeats have the job of the first."""
    unordered: set[str] = field(default_factory=set)
    """Orders with commands on several partitions: of their order nothing is promised."""

    def take(self, item: Read) -> None:
        job = self._known(item)
        if job is None:
            job = self._settled(item)
            self.jobs[job.job_id] = job
        self.answers.append((item, job))

    def _known(self, item: Read) -> Expected | None:
        again = self.jobs.get(item.replays or "")
        if again is not None and again.read.raw == item.raw:
            return again
        job = self.jobs.get(item.job_id)
        if job is None or job.read.fingerprint == item.fingerprint:
            return job
        return self.jobs.get(item.spare_id)

    def _settled(self, item: Read) -> Expected:
        reused = item.job_id in self.jobs
        job_id = item.spare_id if reused else item.job_id
        if item.command is None:
            return Expected(job_id, item, End(code="ValidationFailed", status=400))
        if reused:
            return Expected(job_id, item, failed("IdReused"))
        end = self.model.apply(item.command)
        return Expected(job_id, item, end, self.model.jobs[item.command.job_id])


def replayed(records: Iterable[Record], topic_id: str) -> Replay:
    """Replay the records of `orders.commands`."""
    replay = Replay()
    partitions: defaultdict[str, set[int]] = defaultdict(set)
    for record in in_place(records):
        item = read(record, topic_id)
        replay.take(item)
        if item.command is not None:
            partitions[item.command.order_id].add(record.partition)
    replay.unordered = {name for name, found in partitions.items() if len(found) > 1}
    return replay
