"""A Kafka cluster's ACLs made what the workloads need: added where missing, removed beyond it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from order_operations.access.acl_visibility import refusal_to_show_acls
from order_operations.access.plan import (
    AccessPlan,
    AccessStep,
    AccessStepKind,
    Holdings,
    access_steps,
    rights_of_others,
    without_revoking,
)
from order_operations.connections.kafka_client import SILENCE_SECONDS, admin_client, unavailable
from order_operations.problems import OperationFailed
from order_runtime.access.rights import KafkaRight
from order_runtime.kafka.address import KafkaAddress

EVERY_ACL: Final = AclBindingFilter(
    ResourceType.ANY,
    None,
    ResourcePatternType.ANY,
    None,
    None,
    AclOperation.ANY,
    AclPermissionType.ALLOW,
)
SHOWN_SECONDS: Final = 30.0  # in which the brokers learn of what was changed
POLL_SECONDS: Final = 0.2
NO_AUTHORIZER: Final = (
    "has no authorizer: everybody may do everything, and no rights can be given; set"
    " `authorizer.class.name` of its brokers and controllers."
)


def plan(kafka: KafkaAddress, wanted: Holdings[KafkaRight]) -> AccessPlan[KafkaRight]:
    """
    Return the ACLs that *wanted* principals lack, and those that they have beyond it.

    Those of others are shown beside the steps; what denies something doesn't count. Raises
    OperationFailed where Kafka doesn't answer, or doesn't let this client see its ACLs.
    """
    error = refusal_to_show_acls(kafka)
    if error is None:
        found = _holdings(kafka, admin_client(kafka))
        return AccessPlan(access_steps(wanted, found), others=rights_of_others(wanted, found))
    if error.code() == KafkaError.SECURITY_DISABLED:
        return AccessPlan(access_steps(wanted, {}), f"Kafka at {kafka} {NO_AUTHORIZER}")
    raise _refusal(error) from KafkaException(error)


def apply(
    kafka: KafkaAddress, wanted: Holdings[KafkaRight], *, revoke: bool = True
) -> AccessPlan[KafkaRight]:
    """
    Do the steps of `plan`, and return them once Kafka shows that they are done.

    Without *revoke* rights are only granted; without an authorizer nothing is done, and no step is
    returned. Raises OperationFailed as above.
    """
    planned = _planned(kafka, wanted, revoke=revoke)
    if planned.problem:
        return AccessPlan([], planned.problem)
    client = admin_client(kafka)
    granted = [_acl(it) for it in planned.steps if it.kind is AccessStepKind.GRANT]
    revoked = [_filter(it) for it in planned.steps if it.kind is AccessStepKind.REVOKE]
    if granted:
        _require(kafka, client.create_acls(granted, request_timeout=SILENCE_SECONDS).values())
    if revoked:
        _require(kafka, client.delete_acls(revoked, request_timeout=SILENCE_SECONDS).values())
    if planned.steps:
        _wait_until_shown(kafka, wanted, revoke=revoke)
    return planned


def _planned(
    kafka: KafkaAddress, wanted: Holdings[KafkaRight], *, revoke: bool
) -> AccessPlan[KafkaRight]:
    planned = plan(kafka, wanted)
    return planned if revoke else without_revoking(planned)


def _holdings(kafka: KafkaAddress, client: AdminClient) -> Holdings[KafkaRight]:
    found = defaultdict[str, frozenset[KafkaRight]](frozenset)
    for acl in _result(kafka, client.describe_acls(EVERY_ACL, request_timeout=SILENCE_SECONDS)):
        found[acl.principal] |= {_right(acl)}
    return found


def _right(acl: AclBinding) -> KafkaRight:
    prefixed = acl.resource_pattern_type is ResourcePatternType.PREFIXED
    return KafkaRight(acl.restype.name, acl.name, acl.operation.name, prefixed, acl.host)


def _acl(step: AccessStep[KafkaRight]) -> AclBinding:
    return AclBinding(*_parts(step))


def _filter(step: AccessStep[KafkaRight]) -> AclBindingFilter:
    """Return the filter that meets this one ACL alone."""
    return AclBindingFilter(*_parts(step))


def _parts(step: AccessStep[KafkaRight]) -> tuple[Any, ...]:
    right = step.right
    pattern = ResourcePatternType.PREFIXED if right.prefixed else ResourcePatternType.LITERAL
    what = ResourceType[right.resource], right.name, pattern
    return *what, step.holder, right.host, AclOperation[right.operation], AclPermissionType.ALLOW


def _require(kafka: KafkaAddress, answers: Iterable[Future[Any]]) -> None:
    for answer in answers:
        _result(kafka, answer)


def _result(kafka: KafkaAddress, answer: Future[Any]) -> Any:
    try:
        return answer.result()
    except KafkaException as error:
        if error.args[0].code() < 0:  # librdkafka's own, such as a timeout: no broker answered
            raise unavailable(kafka) from error
        raise _refusal(error.args[0]) from error


def _refusal(error: KafkaError) -> OperationFailed:
    if error.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
        return OperationFailed(
            "Kafka refuses: to see ACLs takes the right Describe on the cluster, and to change them"
            " Alter."
        )
    return OperationFailed(f"Kafka refuses: {error.str()}.")


def _wait_until_shown(kafka: KafkaAddress, wanted: Holdings[KafkaRight], *, revoke: bool) -> None:
    deadline = time.monotonic() + SHOWN_SECONDS
    while left := _planned(kafka, wanted, revoke=revoke).steps:
        if time.monotonic() > deadline:
            raise OperationFailed(
                f"Kafka at {kafka} took the changes, and after {SHOWN_SECONDS:.0f} s doesn't show"
                f" all of them: {left[0].right.operation} on {left[0].right.on} of"
                f" {left[0].holder}."
            )
        time.sleep(POLL_SECONDS)
