"""Laws of jobs: one per command, with the result that the model expects. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from aiokafka.partitioner import murmur2

from support.builders.bodies import Json
from support.history.journal import accepted_commands, responses_by_order
from support.laws.evidence import Evidence, Finding
from support.model.model import DELETE, REGISTER
from support.model.replay import ExpectedJob


def every_command_has_one_job(evidence: Evidence) -> Iterator[Finding]:
    """Every record of the log has one job, valid or not; no job is without a command."""
    for job in evidence.replay.jobs.values():
        if job.job_id not in evidence.jobs:
            yield Finding(f"no job for {job.source.record.position}", job.order_id, job.job_id)
    for job_id, document in evidence.jobs.items():
        if job_id not in evidence.replay.jobs:
            yield Finding("a job without a command", document.get("orderId"), job_id)


def only_one_order_is_ever_created(evidence: Evidence) -> Iterator[Finding]:
    """Between two deletions of an orderId exactly one registration succeeds."""
    alive: dict[str, str] = {}
    for job, _ in _effective_jobs(evidence):
        order_id = str(job.order_id)
        if job.operation == DELETE and job.result.version is not None:
            alive.pop(order_id, None)
        elif job.operation == REGISTER:
            if order_id in alive:
                message = (
                    f"registered at {job.source.record.position}, and by job {alive[order_id]}"
                )
                yield Finding(message, order_id, job.job_id)
            alive[order_id] = job.job_id


def versions_only_grow(evidence: Evidence) -> Iterator[Finding]:
    """Versions increase in the order of the log, also across deletions."""
    last: dict[str, int] = {}
    for job, document in _effective_jobs(evidence):
        version = document.get("version")
        if version is None:
            continue
        order_id = str(job.order_id)
        if version <= last.get(order_id, 0):
            message = f"version {version} at {job.source.record.position} after {last[order_id]}"
            yield Finding(message, order_id, job.job_id)
        last[order_id] = version


def every_command_is_applied_once(evidence: Evidence) -> Iterator[Finding]:
    """Each job made the model's version, and the stored order has the last one."""
    for job, document in evidence.jobs_with_documents():
        if document.get("version") != job.result.version:
            message = f"version {document.get('version')}, not {job.result.version}"
            yield Finding(message, job.order_id, job.job_id)
    for order_id in _ordered_orders(evidence):
        stored = evidence.orders.get(order_id, {}).get("version", 0)
        if stored != (expected := evidence.replay.model.version(order_id)):
            yield Finding(f"the order is at version {stored}, not {expected}", order_id)


def a_rejected_duplicate_names_its_owner(evidence: Evidence) -> Iterator[Finding]:
    """A 409 names the job that registered the order, in the response and in the job."""
    owners: dict[str, set[str]] = {}
    for job, _ in _effective_jobs(evidence):
        if job.operation == REGISTER:
            owners.setdefault(str(job.order_id), set()).add(job.job_id)
    for job, document in evidence.jobs_with_documents():
        if job.result.code == "OrderExists":
            detail = document.get("failure", {}).get("detail", "")
            if not any(
                registered_by in detail for registered_by in owners.get(str(job.order_id), ())
            ):
                yield Finding(f"names nobody: {detail}", job.order_id, job.job_id)
    for call in evidence.history.calls:
        for order_id, response in responses_by_order(call):
            refused = response["status"] == 409 and "job" not in response
            unknown = response.get("jobId") not in owners.get(order_id, ())
            if refused and unknown and order_id not in evidence.replay.unordered:
                yield Finding(f"409 names {response.get('jobId')}", order_id)


def every_job_ends_as_the_model_says(evidence: Evidence) -> Iterator[Finding]:
    for job, document in evidence.jobs_with_documents():
        found = stored_result(document)
        expected = expected_result(job, evidence.history.partitions)
        wrong = [name for name in expected if found[name] != expected[name]]
        if wrong:
            message = ", ".join(f"{name} {found[name]!r}, not {expected[name]!r}" for name in wrong)
            yield Finding(f"{message} at {job.source.record.position}", job.order_id, job.job_id)


def an_idempotency_key_belongs_to_its_first_command(evidence: Evidence) -> Iterator[Finding]:
    first = {key: it.job_id for key, it in evidence.replay.model.keys.items()}
    found = {it["_id"]: it["jobId"] for it in evidence.history.documents.get("idempotency", ())}
    for key in first.keys() | found.keys():
        if first.get(key) != found.get(key):
            job_id = first.get(key) or found[key]
            job = evidence.replay.jobs.get(job_id)
            if job is None or job.order_id not in evidence.replay.unordered:
                message = f"key of {found.get(key)}, not {first.get(key)}"
                yield Finding(message, job.order_id if job else None, job_id)


def what_was_answered_stays_true(evidence: Evidence) -> Iterator[Finding]:
    """A caller that waited got the result that its job still has."""
    for call in evidence.history.calls:
        for order_id, response in responses_by_order(call):
            answered_job = response.get("job") or (response if response["status"] == 200 else None)
            if (
                answered_job is None
                or order_id in evidence.replay.unordered
                or "rows" in call.response
            ):
                continue
            job = evidence.replay.jobs.get(answered_job["jobId"])
            if job is not None and _answered_failure(answered_job) != _expected_failure(
                evidence, job
            ):
                yield Finding(
                    f"answered {_answered_failure(answered_job)}", order_id, answered_job["jobId"]
                )
        for order_id, job_id in accepted_commands(call):
            job = evidence.replay.jobs.get(job_id)
            if job is not None and job.operation != call.kind:
                yield Finding(f"asked {call.kind}, got {job.operation}", order_id, job_id)


def stored_result(document: Json) -> Json:
    """Return the result of a job document, comparable with `expected_result`."""
    failure, action = document.get("failure"), document.get("action")
    return {
        "operation": document["operation"],
        "order": document.get("orderId"),
        "failure": failure and (failure["code"], failure["status"]),
        "warnings": tuple(it["code"] for it in document.get("warnings", ())),
        "alias": document.get("aliasOf"),
        "action": action and action["action"],
        "undecoded": document.get("undecoded", False),
    }


def expected_result(job: ExpectedJob, partitions: int) -> Json:
    result = job.result
    return {
        "operation": job.operation,
        "order": job.order_id,
        "failure": result.code and (result.code, result.status),
        "warnings": expected_warnings(job, partitions),
        "alias": result.alias_of,
        "action": result.action and result.action["action"],
        "undecoded": job.source.command is None,
    }


def expected_warnings(job: ExpectedJob, partitions: int) -> tuple[str, ...]:
    """Return what the order-writer warns of, on the job itself."""
    result = job.result
    decided = job.source.command is not None and result.alias_of is None
    if not decided or result.code in {"IdReused", "IdempotencyKeyReused"}:
        return result.warnings
    astray = not job.source.from_gateway and _is_misrouted(job, partitions)
    return (*(("Misrouted",) if astray else ()), *result.warnings)


def _is_misrouted(job: ExpectedJob, partitions: int) -> bool:
    record = job.source.record
    place: int = (murmur2(record.key or b"") & 0x7FFFFFFF) % partitions
    return place != record.partition


def _effective_jobs(evidence: Evidence) -> Iterator[tuple[ExpectedJob, Json]]:
    """Yield the jobs that succeeded and are no aliases, in the order of the log."""
    for job, document in evidence.jobs_with_documents():
        if "failure" not in document and "aliasOf" not in document and job.order_id is not None:
            yield job, document


def _ordered_orders(evidence: Evidence) -> set[str]:
    known = evidence.orders.keys() | evidence.replay.model.history.keys()
    return known - evidence.replay.unordered


def _answered_failure(job: Json) -> str | None:
    """Return the code of the storage failure; ContactMissing is none, as it comes later."""
    codes = [error["code"] for error in job.get("errors") or ()]
    return next((code for code in codes if code != "ContactMissing"), None)


def _expected_failure(evidence: Evidence, job: ExpectedJob) -> str | None:
    """Return the expected code of the job, or of the one that it is an alias of."""
    shown = evidence.replay.jobs.get(job.result.alias_of or "", job)
    return shown.result.code
