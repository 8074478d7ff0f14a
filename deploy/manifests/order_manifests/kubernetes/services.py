"""The services: the gateway a Deployment, the consumers StatefulSets, each with its budget."""

from __future__ import annotations

from typing import Any, Final

from order_manifests.environment import (
    CONTAINER_PORTS,
    MOUNTS,
    decided,
    secret_files,
    tls_files,
)
from order_manifests.kubernetes.parts import (
    MONGO_CA,
    NAME_LABEL,
    Manifest,
    container,
    file_variables,
    labels,
    metadata,
    mount,
    pod,
    resource,
    resources,
    secret_mounts,
    secret_volume,
    secret_volumes,
    variables,
)
from order_operations.workloads.processes import HEALTH, HTTP, ServiceProcess
from order_operations.workloads.table import SERVICES
from order_runtime.process.connection_settings import PREFIX

LEAVES_ENDPOINTS: Final = 5
"""Seconds in which the last client learns that a pod that ends takes no more connections."""
GRACE: Final = 60
"""Seconds for what a process has in hand: more than the gateway's 10, and a consumer's batch."""


def manifests(service: str) -> list[Manifest]:
    return [_workload(service), _service(service), _budget(service)]


def tls_patch(service: str) -> Manifest:
    """Return what is added to a service that ends TLS itself."""
    kind = _kind(SERVICES[service])
    files = tls_files(service)
    added = {
        "name": service,
        "env": file_variables(files),
        "volumeMounts": secret_mounts(files),
    }
    spec = {"containers": [added], "volumes": secret_volumes(files)}
    found = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": service}}
    return {**found, "spec": {"template": {"spec": spec}}}


def _kind(process: ServiceProcess) -> str:
    return "StatefulSet" if process.partitioned else "Deployment"


def _workload(service: str) -> Manifest:
    """Return it without a number of replicas, which is the autoscaler's or an overlay's."""
    process = SERVICES[service]
    spec: Manifest = {
        "selector": {"matchLabels": {NAME_LABEL: service}},
        "minReadySeconds": 5,
        **(_stateful(service) if process.partitioned else _stateless()),
        "template": {"metadata": {"labels": labels(service)}, "spec": _pod(service)},
    }
    return resource("apps/v1", _kind(process), service, spec=spec)


def _stateful(service: str) -> Manifest:
    """Pods come and go together: one that isn't ready must not keep the others from starting."""
    return {"serviceName": service, "podManagementPolicy": "Parallel", "revisionHistoryLimit": 3}


def _stateless() -> Manifest:
    rolling = {"maxUnavailable": 0, "maxSurge": 1}
    return {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "revisionHistoryLimit": 3,
    }


def _pod(service: str) -> Manifest:
    volumes = [*secret_volumes(secret_files(service)), secret_volume(MONGO_CA, optional=True)]
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {NAME_LABEL: service}},
    }
    return pod(
        [_container(service)],
        volumes,
        terminationGracePeriodSeconds=GRACE,
        topologySpreadConstraints=[spread],
    )


def _container(service: str) -> Manifest:
    process, files = SERVICES[service], secret_files(service)
    leaving = {"lifecycle": {"preStop": {"sleep": {"seconds": LEAVES_ENDPOINTS}}}}
    return container(
        service,
        service,
        [*secret_mounts(files), mount(MONGO_CA, f"{MOUNTS}/{MONGO_CA}")],
        command=["python", "-P", "-m", process.module],
        envFrom=[{"configMapRef": {"name": service}}],
        env=[_instance(), *variables(decided(service)), *file_variables(files)],
        ports=[{"name": it, "containerPort": CONTAINER_PORTS[it]} for it in process.ports],
        **_probes(process),
        **(leaving if HTTP in process.ports else {}),
        resources=resources(process.cpu, process.memory),
    )


def _instance() -> Manifest:
    """The name of a StatefulSet's pod outlives it, and so does the instance's."""
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    return {"name": f"{PREFIX}INSTANCE", "valueFrom": pod_name}


def _probes(process: ServiceProcess) -> Manifest:
    """A process that waits for Kafka or MongoDB lives and isn't ready: it isn't started again."""
    return {
        "startupProbe": _probe(process.live, periodSeconds=2, failureThreshold=30),
        "livenessProbe": _probe(process.live, periodSeconds=10, failureThreshold=3),
        "readinessProbe": _probe(process.ready, periodSeconds=5, failureThreshold=2),
    }


def _probe(path: str, **timing: Any) -> Manifest:
    return {"httpGet": {"path": path, "port": HEALTH}, "timeoutSeconds": 3, **timing}


def _service(service: str) -> Manifest:
    """Return the address of the API; of a consumer the names of its pods, for their metrics."""
    ports = [
        {"name": it, "port": CONTAINER_PORTS[it], "targetPort": it}
        for it in SERVICES[service].ports
    ]
    headless = {"clusterIP": "None"} if SERVICES[service].partitioned else {}
    return resource(
        "v1",
        "Service",
        service,
        spec={**headless, "selector": {NAME_LABEL: service}, "ports": ports},
    )


def _budget(service: str) -> Manifest:
    """Return that one may be taken away at a time, and one that doesn't work always."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": {NAME_LABEL: service}},
    }
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(service),
        "spec": spec,
    }
