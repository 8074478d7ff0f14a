"""The generated files of deploy/kubernetes, by their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from order_contracts.topics import GATEWAY, MIGRATOR
from order_manifests.environment import configured, profile
from order_manifests.kubernetes import kafka, migration, network, scaling, services
from order_manifests.kubernetes.parts import Manifest
from order_manifests.texts import lines, yaml_text
from order_operations.workloads.table import SERVICES

KUSTOMIZE: Final = "kustomize.config.k8s.io"
HASHED_NAME: Final = {
    "nameReference": [
        {
            "kind": "ConfigMap",
            "fieldSpecs": [
                {"kind": "TriggerAuthentication", "path": "spec/configMapTargetRef/name"}
            ],
        }
    ]
}
"""Where kustomize doesn't look by itself for the name of a ConfigMap, to which it adds a hash."""


def files() -> Iterator[tuple[Path, str]]:
    for folder, found in (
        ("base/services", _services()),
        ("base/kafka", _kafka()),
        ("base/migration", _migration()),
        ("components/scaling", _scaling()),
        ("components/gateway-tls", _gateway_tls()),
    ):
        yield from ((Path(folder) / name, text) for name, text in found)


def _services() -> Iterator[tuple[str, str]]:
    for it in SERVICES:
        yield f"{it}.yaml", yaml_text(*services.manifests(it))
        yield f"{it}.env", lines(configured(it))
    yield "network-policies.yaml", yaml_text(*network.manifests())
    yield _kustomization(
        resources=[*(f"{it}.yaml" for it in SERVICES), "network-policies.yaml"],
        configMapGenerator=[{"name": it, "envs": [f"{it}.env"]} for it in SERVICES],
    )


def _kafka() -> Iterator[tuple[str, str]]:
    yield from _resources(
        {"kafka": kafka.cluster(), "topics": kafka.topics(), "users": kafka.users()}
    )


def _migration() -> Iterator[tuple[str, str]]:
    profiles = {MIGRATOR: profile(MIGRATOR), migration.ADMIN: migration.admin_profile()}
    for name, settings in profiles.items():
        yield f"{name}.env", lines(settings)
    yield "job.yaml", yaml_text(migration.job())
    generated = {"name": migration.PROFILES, "files": [f"{it}.env" for it in profiles]}
    yield _kustomization(resources=["job.yaml"], configMapGenerator=[generated])


def _scaling() -> Iterator[tuple[str, str]]:
    yield "scaling.yaml", yaml_text(*scaling.manifests())
    yield "name-reference.yaml", yaml_text(HASHED_NAME)
    yield _kustomization(
        "Component", resources=["scaling.yaml"], configurations=["name-reference.yaml"]
    )


def _gateway_tls() -> Iterator[tuple[str, str]]:
    yield "gateway.yaml", yaml_text(services.tls_patch(GATEWAY))
    yield _kustomization("Component", patches=[{"path": "gateway.yaml"}])


def _resources(found: Mapping[str, Iterable[Manifest]]) -> Iterator[tuple[str, str]]:
    for name, manifests in found.items():
        yield f"{name}.yaml", yaml_text(*manifests)
    yield _kustomization(resources=[f"{it}.yaml" for it in found])


def _kustomization(kind: str = "Kustomization", **fields: object) -> tuple[str, str]:
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    content = {"apiVersion": f"{KUSTOMIZE}/{version}", "kind": kind, **fields}
    return "kustomization.yaml", yaml_text(content)
