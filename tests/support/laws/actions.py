"""Actions: what was due against what the automation trigger received. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from support.builders.bodies import Json
from support.laws.enrichment import action_stage_of
from support.laws.evidence import Evidence, Finding
from support.laws.history import Hook
from support.load.journal import Fault
from support.model.canonical import canonical
from support.model.expected_outcomes import contact_of
from support.model.replay import Expected

SLACK = 90.0  # seconds after a fault's end in which what it left half done may be done again


def every_due_action_was_delivered(evidence: Evidence) -> Iterator[Finding]:
    """Under the id that is derived from its job; also what the job calls delivered."""
    for job, document in acting(evidence):
        due = evidence.fate(job).actions == {"delivered"}
        if action_stage_of(document) == "failed":
            continue
        told = action_stage_of(document) == "delivered"
        if (due or told) and evidence.action_of(job) not in evidence.hooks:
            said = f"no webhook, and the job says {action_stage_of(document)}"
            yield Finding(said, job.order_id, job.job_id)


def no_action_was_sent_that_was_not_due(evidence: Evidence) -> Iterator[Finding]:
    """Each webhook is signed, and is the action of a job that has one to send, as it asked."""
    for hook in evidence.history.hooks:
        if not hook.verified:
            yield Finding(f"the signature of {hook.id} is wrong", hook.order_id)
    due = {evidence.action_of(job): job for job, _ in acting(evidence)}
    for hooks in evidence.hooks.values():
        hook, job = hooks[0], due.get(hooks[0].id)
        if hook.order_id in evidence.replay.unordered:
            continue
        if job is None or "delivered" not in evidence.fate(job).actions:
            yield Finding(f"webhook {hook.id} was not due", hook.order_id)
        elif any(not is_asked(it, job) for it in hooks):
            yield Finding(f"webhook {hook.id} is another action", hook.order_id, job.job_id)


def an_action_comes_twice_only_after_a_fault(evidence: Evidence) -> Iterator[Finding]:
    """
    More webhooks than recorded attempts: a crash fell between sending and recording one.

    An attempt that was recorded and was tried again got an answer that asked for it.
    """
    for action_id, hooks in evidence.hooks.items():
        recorded = len(evidence.deliveries.get(action_id, {}).get("attempts", ()))
        if len(hooks) > max(recorded, 1) and not explained(hooks, evidence.history.faults):
            said = f"{action_id} came {len(hooks)} times, {recorded} attempts are recorded"
            yield Finding(said, hooks[0].order_id)


def the_job_tells_what_became_of_its_action(evidence: Evidence) -> Iterator[Finding]:
    for job, document in evidence.both():
        if job.step is None or job.end.alias_of is not None:
            continue
        stage, allowed = action_stage_of(document), evidence.fate(job).actions
        came = evidence.action_of(job) in evidence.hooks
        if stage not in allowed and stage != "failed":
            yield Finding(f"{stage}, not {sorted(allowed)}", job.order_id, job.job_id)
        elif came and stage not in ends_of_sent(evidence, job, document):
            yield Finding(f"{stage}, and a webhook came", job.order_id, job.job_id)


def ends_of_sent(evidence: Evidence, job: Expected, document: Json) -> set[str]:
    """Return what may be told of a webhook that came; in flight, its contact may be erased."""
    order = job.step.after if job.step else None
    erased = order is not None and contact_of(order.content) in evidence.erased
    in_flight = erased and "delivery" in document  # the enricher has not dropped it
    return {"delivered", "failed", *(["dropped"] if in_flight else [])}


def every_delivery_is_announced(evidence: Evidence) -> Iterator[Finding]:
    """On `orders.deliveries`; and what was sent came by way of `orders.actions`."""
    ways = {
        topic: {it.data["actionId"] for it in evidence.announced(topic)}
        for topic in ("orders.actions", "orders.deliveries")
    }
    for job, document in acting(evidence):
        if action_stage_of(document) in {"delivered", "failed"}:
            for topic, told in ways.items():
                if evidence.action_of(job) not in told:
                    yield Finding(f"not on {topic}", job.order_id, job.job_id)


def acting(evidence: Evidence) -> Iterator[tuple[Expected, Json]]:
    """Give the jobs whose command asked for an action, and was the first to."""
    for job, document in evidence.both():
        if job.end.action is not None and job.end.alias_of is None:
            yield job, document


def is_asked(hook: Hook, job: Expected) -> bool:
    data, action = hook.body["data"], job.end.action or {}
    asked = (action["action"], canonical(action.get("data")), job.order_id)
    return (data["action"], canonical(data.get("data")), hook.order_id) == asked


def explained(hooks: Sequence[Hook], faults: Sequence[Fault]) -> bool:
    """Whether a fault lies between the first of these webhooks and the last."""
    return any(_between(it, hooks[0].at, hooks[-1].at) for it in faults)


def _between(fault: Fault, first: float, last: float) -> bool:
    ended = fault.ended if fault.ended is not None else last
    return fault.began <= last and ended + SLACK >= first
