"""How many pods there are: by CPU, by what waits in Kafka, or by a query of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from order_contracts.topics import TOPICS
from order_manifests.environment import KAFKA_CA, configured, login_files
from order_manifests.kubernetes.parts import Manifest, resource
from order_operations.workloads.processes import ByCpu, ByLag, ByQuery, Scaling
from order_operations.workloads.table import SERVICES
from order_runtime.process.connection_settings import PREFIX

KEDA: Final = "keda.sh/v1alpha1"
PROMETHEUS: Final = "http://prometheus-operated.monitoring.svc:9090"
CALM_SECONDS: Final = 600
"""How long fewer pods must have been enough: each that goes moves partitions."""
BLIND: Final = 3
"""Failures in a row after which the usual number of pods takes the place of the signal."""


def manifests() -> list[Manifest]:
    return [it for service in SERVICES for it in _of(service, SERVICES[service].scaling)]


def _of(service: str, scaling: Scaling) -> Iterator[Manifest]:
    match scaling:
        case ByCpu(percent):
            yield _by_cpu(service, percent)
        case ByLag(records):
            yield _kafka_login(service)
            yield _scaled_object(service, list(_lags(service, records)))
        case ByQuery(query, each):
            yield _scaled_object(service, [_query(query, each)])


def _by_cpu(service: str, percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service},
        "minReplicas": SERVICES[service].replicas,
        "maxReplicas": SERVICES[service].most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return resource("autoscaling/v2", "HorizontalPodAutoscaler", service, spec=spec)


def _scaled_object(service: str, triggers: list[Manifest]) -> Manifest:
    process = SERVICES[service]
    calm = {"scaleDown": {"stabilizationWindowSeconds": CALM_SECONDS}}
    spec = {
        "scaleTargetRef": {"kind": "StatefulSet", "name": service},
        "minReplicaCount": process.replicas,
        "maxReplicaCount": process.most,
        "fallback": {"failureThreshold": BLIND, "replicas": process.replicas},
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": calm}},
        "triggers": triggers,
    }
    return resource(KEDA, "ScaledObject", service, spec=spec)


def _lags(service: str, records: int) -> Iterator[Manifest]:
    """Yield a trigger for each topic that the service reads, in its group, which has its name."""
    for topic in TOPICS:
        if service in topic.readers:
            yield {
                "type": "kafka",
                "metricType": "AverageValue",
                "authenticationRef": {"name": service},
                "metadata": {
                    "bootstrapServers": configured(service)[f"{PREFIX}KAFKA"],
                    "consumerGroup": service,
                    "topic": topic.name,
                    "lagThreshold": str(records),
                    "offsetResetPolicy": "earliest",
                    "sasl": "scram_sha512",
                    "tls": "enable",
                },
            }


def _kafka_login(service: str) -> Manifest:
    """Return KEDA's login, which is the service's own: its rights let it see the group's lag."""
    password = next(it for it in login_files(service) if it.setting == "KAFKA_PASSWORD_FILE")
    login = [
        {"parameter": "password", "name": password.secret, "key": password.key},
        {"parameter": "ca", "name": KAFKA_CA, "key": "ca.crt"},
    ]
    username = {"parameter": "username", "name": service, "key": f"{PREFIX}KAFKA_USERNAME"}
    spec = {"secretTargetRef": login, "configMapTargetRef": [username]}
    return resource(KEDA, "TriggerAuthentication", service, spec=spec)


def _query(query: str, each: int) -> Manifest:
    metadata = {"serverAddress": PROMETHEUS, "query": query, "threshold": str(each)}
    return {"type": "prometheus", "metricType": "AverageValue", "metadata": metadata}
