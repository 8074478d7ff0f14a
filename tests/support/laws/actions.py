"""Laws of actions: those that were due against the webhooks that were received. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from support.builders.bodies import Json
from support.history.history import ReceivedWebhook
from support.history.journal import InjectedFault
from support.laws.canonical_form import canonical
from support.laws.enrichment import action_stage_of
from support.laws.evidence import Evidence, Finding
from support.model.expected_outcomes import contact_key
from support.model.replay import ExpectedJob

SLACK = 90.0  # seconds after a fault's end in which interrupted attempts may be repeated


def every_due_action_was_delivered(evidence: Evidence) -> Iterator[Finding]:
    """Every action that was due, or that its job shows as delivered, has a webhook under its id."""
    for job, document in jobs_with_action(evidence):
        due = evidence.outcome_of(job).actions == {"delivered"}
        if action_stage_of(document) == "failed":
            continue
        action_ids = action_stage_of(document) == "delivered"
        if (due or action_ids) and evidence.action_id(job) not in evidence.webhooks:
            message = f"no webhook, and the job says {action_stage_of(document)}"
            yield Finding(message, job.order_id, job.job_id)


def no_action_was_sent_that_was_not_due(evidence: Evidence) -> Iterator[Finding]:
    """Each webhook has a valid signature, and is the action that a job requested."""
    for webhook in evidence.history.webhooks:
        if not webhook.verified:
            yield Finding(f"the signature of {webhook.id} is wrong", webhook.order_id)
    due = {evidence.action_id(job): job for job, _ in jobs_with_action(evidence)}
    for webhooks in evidence.webhooks.values():
        webhook, job = webhooks[0], due.get(webhooks[0].id)
        if webhook.order_id in evidence.replay.unordered:
            continue
        if job is None or "delivered" not in evidence.outcome_of(job).actions:
            yield Finding(f"webhook {webhook.id} was not due", webhook.order_id)
        elif any(not is_requested_action(it, job) for it in webhooks):
            yield Finding(f"webhook {webhook.id} is another action", webhook.order_id, job.job_id)


def an_action_comes_twice_only_after_a_fault(evidence: Evidence) -> Iterator[Finding]:
    """
    An action has more webhooks than recorded attempts only if a crash fell between send and record.

    Recorded attempts that were repeated got a response that asks for a retry.
    """
    for action_id, webhooks in evidence.webhooks.items():
        recorded = len(evidence.deliveries.get(action_id, {}).get("attempts", ()))
        if len(webhooks) > max(recorded, 1) and not spans_a_fault(
            webhooks, evidence.history.faults
        ):
            message = f"{action_id} came {len(webhooks)} times, {recorded} attempts are recorded"
            yield Finding(message, webhooks[0].order_id)


def the_job_tells_what_became_of_its_action(evidence: Evidence) -> Iterator[Finding]:
    for job, document in evidence.jobs_with_documents():
        if job.step is None or job.result.alias_of is not None:
            continue
        stage, allowed = action_stage_of(document), evidence.outcome_of(job).actions
        came = evidence.action_id(job) in evidence.webhooks
        if stage not in allowed and stage != "failed":
            yield Finding(f"{stage}, not {sorted(allowed)}", job.order_id, job.job_id)
        elif came and stage not in stages_of_sent_action(evidence, job, document):
            yield Finding(f"{stage}, and a webhook came", job.order_id, job.job_id)


def stages_of_sent_action(evidence: Evidence, job: ExpectedJob, document: Json) -> set[str]:
    """Return the possible stages of an action whose webhook was received."""
    order = job.step.after if job.step else None
    erased = order is not None and contact_key(order.content) in evidence.erased_contacts
    in_flight = erased and "delivery" in document  # its contact was erased while it was delivered
    return {"delivered", "failed", *(["dropped"] if in_flight else [])}


def every_delivery_is_announced(evidence: Evidence) -> Iterator[Finding]:
    """Every ended delivery is on `orders.deliveries`, and its action on `orders.actions`."""
    published = {
        topic: {it.data["actionId"] for it in evidence.events_on(topic)}
        for topic in ("orders.actions", "orders.deliveries")
    }
    for job, document in jobs_with_action(evidence):
        if action_stage_of(document) in {"delivered", "failed"}:
            for topic, action_ids in published.items():
                if evidence.action_id(job) not in action_ids:
                    yield Finding(f"not on {topic}", job.order_id, job.job_id)


def jobs_with_action(evidence: Evidence) -> Iterator[tuple[ExpectedJob, Json]]:
    """Yield the jobs, without aliases, whose command requests an action."""
    for job, document in evidence.jobs_with_documents():
        if job.result.action is not None and job.result.alias_of is None:
            yield job, document


def is_requested_action(webhook: ReceivedWebhook, job: ExpectedJob) -> bool:
    data, action = webhook.body["data"], job.result.action or {}
    requested = (action["action"], canonical(action.get("data")), job.order_id)
    return (data["action"], canonical(data.get("data")), webhook.order_id) == requested


def spans_a_fault(webhooks: Sequence[ReceivedWebhook], faults: Sequence[InjectedFault]) -> bool:
    """Whether a fault lies between the first and the last of these webhooks."""
    return any(_between(it, webhooks[0].at, webhooks[-1].at) for it in faults)


def _between(fault: InjectedFault, first: float, last: float) -> bool:
    ended = fault.ended if fault.ended is not None else last
    return fault.began <= last and ended + SLACK >= first
