"""The generated manifests give each service what it asks for, and each user its rights."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from order_contracts.topics import GATEWAY
from order_manifests.environment import EVERYWHERE
from order_operations.connections.profile import read_profile
from order_operations.workloads.processes import HEALTH, HTTP
from order_operations.workloads.table import SERVICES
from order_runtime.process.settings import ServiceSettings, load
from order_stack.cluster.certificates import Authority
from support.builders.certificates import certificate_files
from support.manifests import pods
from support.manifests.pods import (
    BASE,
    KUBERNETES,
    Manifest,
    committed,
    mount_secrets,
    named,
    of_kind,
    pod_of,
)

EACH = pytest.mark.parametrize("service", SERVICES)
KINDS = ("Deployment", "StatefulSet")
DEPLOY = KUBERNETES.parent
DEPLOYING = DEPLOY.parent / "docs" / "deploying.md"


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Return what operators, cert-manager and Strimzi put into the cluster."""
    certificate = certificate_files(tmp_path)
    names = [*SERVICES, "migrator", "admin"]
    uri = "mongodb://user:secret@mongo.example/?replicaSet=rs0"
    return {
        **{f"ordermill-mongo-{it}": {"uri": f"{uri}\n"} for it in names},
        **{f"kafka-{it}": {"password": "secret"} for it in names},
        "ordermill-cluster-ca-cert": {"ca.crt": Authority(tmp_path / "ca").ca.read_text()},
        "ordermill-job-secrets": {"job-secrets": "j" * 40},
        "ordermill-erasure-secret": {"erasure-secret": "e" * 40},
        "ordermill-api-keys": {"keys.json": "{}"},
        "ordermill-webhooks": {"webhooks.toml": ""},
        "ordermill-gateway-tls": {
            "tls.crt": certificate.cert.read_text(),
            "tls.key": certificate.key.read_text(),
        },
    }


def workload(service: str) -> Manifest:
    return named(pods.documents(BASE / "services" / f"{service}.yaml"), service, *KINDS)


@EACH
def test_a_service_accepts_the_environment_of_its_pod(
    service: str,
    secrets: dict[str, dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = pods.process_of(workload(service), pods.base_config_maps(), secrets, tmp_path / "m")
    settings = loaded(service, process.environ, monkeypatch)

    assert process.command == ["python", "-P", "-m", SERVICES[service].module]
    assert settings.instance == f"{service}-0"
    assert settings.health_host == EVERYWHERE
    assert settings.kafka_address.login
    assert settings.kafka_address.login.username == service
    told = {it: getattr(settings, name.lower()) for it, name in SERVICES[service].ports.items()}
    assert process.ports == told


def test_the_gateway_accepts_its_certificate(
    secrets: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [patch] = pods.documents(KUBERNETES / "components" / "gateway-tls" / "gateway.yaml")
    whole = workload(GATEWAY)
    [container], [added] = pod_of(whole)["containers"], pod_of(patch)["containers"]
    for field in ("env", "volumeMounts"):
        container[field] += added[field]
    pod_of(whole)["volumes"] += pod_of(patch)["volumes"]

    process = pods.process_of(whole, pods.base_config_maps(), secrets, tmp_path / "m")
    settings: Any = loaded(GATEWAY, process.environ, monkeypatch)

    assert settings.tls_cert_file.read_text() == secrets["ordermill-gateway-tls"]["tls.crt"]
    assert settings.tls_key_file.is_file()


def loaded(service: str, environ: Any, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """Return the settings that the service would start with; SystemExit where it wouldn't."""
    for name in [it for it in os.environ if it.startswith("ORDERMILL_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found: type[ServiceSettings] = import_module(f"{SERVICES[service].module}.settings").Settings
    return load(found)


def test_the_migration_acts_by_profiles_that_it_mounts(
    secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    [job] = pods.documents(BASE / "migration" / "job.yaml")
    steps = [*pod_of(job)["initContainers"], *pod_of(job)["containers"]]
    assert [it["command"][1:3] for it in steps] == [
        ["topics", "apply"],
        ["access", "apply"],
        ["migrate", "apply"],
    ]
    for step in steps:
        profile = BASE / "migration" / Path(step["command"][-1]).name
        mounted = [it["mountPath"] for it in step["volumeMounts"]]
        for path in pods.settings(profile).values():
            if path.startswith(pods.MOUNTS):
                assert str(Path(path).parent) in mounted
        read = read_profile(_copied(profile, secrets, tmp_path))
        assert read.mongo.startswith("mongodb://user:secret@")


def _copied(profile: Path, secrets: dict[str, dict[str, str]], folder: Path) -> Path:
    """Return the profile with its files below *folder*."""
    mount_secrets(secrets, folder)
    copy = folder / profile.name
    copy.write_text(profile.read_text().replace(pods.MOUNTS, str(folder)))
    return copy


def test_every_pod_is_one_that_the_restricted_standard_admits() -> None:
    found = of_kind(committed(), *KINDS, "Job")
    pods_ = [pod_of(it) for it in found if "selector" in it["spec"] or it["kind"] == "Job"]

    assert len(pods_) == len(SERVICES) + 1
    for pod in pods_:
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False
        whole = pod["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsUser"]) == (True, 10001)
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert [it for it in container["volumeMounts"] if not it.get("readOnly")] == [
                {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108
            ]


@EACH
def test_what_selects_a_service_and_what_scales_it_finds_it(service: str) -> None:
    found, process = committed(), SERVICES[service]
    target = workload(service)
    labels = target["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = named(found, service, kind)["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()
    scaler = named(found, service, "HorizontalPodAutoscaler", "ScaledObject")["spec"]
    assert scaler["scaleTargetRef"]["kind"] == target["kind"]
    assert scaler["scaleTargetRef"]["name"] == service
    assert "replicas" not in target["spec"], "it would undo what the autoscaler did"
    most = scaler.get("maxReplicas") or scaler.get("maxReplicaCount")
    assert most <= 12 or not process.partitioned


@EACH
def test_probes_ask_the_port_of_health(service: str) -> None:
    [container] = pod_of(workload(service))["containers"]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    asked = {it: container[f"{it}Probe"]["httpGet"] for it in ("startup", "liveness", "readiness")}
    assert {it["port"] for it in asked.values()} == {HEALTH}
    assert asked["readiness"]["path"] == SERVICES[service].ready
    assert asked["liveness"]["path"] == asked["startup"]["path"] == SERVICES[service].live
    assert (HTTP in ports) is (service == GATEWAY)


def test_every_secret_is_documented() -> None:
    text = DEPLOYING.read_text()
    volumes = [
        volume
        for it in of_kind(committed(), *KINDS, "Job")
        for volume in pod_of(it)["volumes"]
        if "secret" in volume
    ]
    names = {it["secret"]["secretName"] for it in volumes}

    assert {it for it in names if f"`{it}`" not in text} == set()
