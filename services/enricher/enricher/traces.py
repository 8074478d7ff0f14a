"""What a decision leaves on its job and in the integration log, as writes that bear repetition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from enricher.bulk import once
from enricher.decision import Settled
from order_contracts.integration_log import log_entry
from order_contracts.job import Action
from order_runtime.integration_log import log_document


def entries(settled: Iterable[Settled], now: datetime) -> Iterator[UpdateOne]:
    for it in settled:
        event = it.happened.event
        for missing in it.decision.log:
            yield entry(missing.code, event.job_id, event.order_id, missing.reference or None, now)


def entry(code: str, job_id: str, order_id: str, reference: str | None, now: datetime) -> UpdateOne:
    said = log_entry(code, job_id=job_id, order_id=order_id, reference=reference, at=now)
    return once(log_document(said))


def enrichments(settled: Iterable[Settled], now: datetime) -> Iterator[UpdateOne]:
    for it in settled:
        decision = it.decision
        if decision.enrichment is not None:
            state: dict[str, Any] = {"state": str(decision.enrichment), "at": now}
            if decision.action is not None:
                state["action"] = str(decision.action)
            # Decided once: a worker that comes too late with the same event says nothing more.
            undecided = {"_id": it.happened.event.job_id, "enrichment": {"$exists": False}}
            yield UpdateOne(undecided, {"$set": {"enrichment": state}})


def no_longer_held(job_id: str, now: datetime) -> UpdateOne:
    was_held = {"_id": job_id, "enrichment.action": str(Action.HELD)}
    dropped = {"enrichment.action": str(Action.DROPPED), "enrichment.at": now}
    return UpdateOne(was_held, {"$set": dropped})
