"""The overlays as kustomize renders them, held against the schemas of all their kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from support.manifests import validators
from support.manifests.pods import KUBERNETES, Manifest, named, of_kind
from support.manifests.validators import Schemas

pytestmark = [pytest.mark.tools, pytest.mark.timeout(400)]

OVERLAYS = sorted(it.parent for it in (KUBERNETES / "overlays").rglob("kustomization.yaml"))
PRODUCTION = KUBERNETES / "overlays" / "production"
CUSTOM = (*validators.KEDA_KINDS, *validators.STRIMZI_KINDS)
NO_FIELD = {"bootstrapServer": "misspelt"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return validators.installed(tmp_path_factory.mktemp("validators") / "venv")


@pytest.fixture(scope="module")
def schemas(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    strimzi = validators.strimzi_schemas(tmp_path_factory.mktemp("crds"))
    return {**validators.keda_schemas(python), **strimzi}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda it: f"{it.parent.name}-{it.name}")
def test_an_overlay_is_valid(overlay: Path, python: Path, schemas: Schemas, tmp_path: Path) -> None:
    found = validators.rendered(overlay)
    custom = of_kind(found, *CUSTOM)
    others = [it for it in found if it not in custom]

    assert found
    assert validators.faults(schemas, custom) == []
    assert not others or validators.kubernetes_faults(python, others, tmp_path) == ""


def test_all_kinds_are_there() -> None:
    kinds = {it["kind"] for folder in OVERLAYS for it in validators.rendered(folder)}
    assert kinds >= {*CUSTOM, "Deployment", "StatefulSet", "Job", "NetworkPolicy"}


def test_a_setting_that_changes_renames_what_the_pods_read(tmp_path: Path) -> None:
    """So that a changed ConfigMap rolls the pods, and KEDA follows the new name."""
    before, after = (
        validators.rendered(it)
        for it in (PRODUCTION / "services", _changed(tmp_path, "ORDERMILL_PARTITIONS=24"))
    )
    for found in (before, after):
        maps = {it["metadata"]["name"] for it in of_kind(found, "ConfigMap")}
        assert set(_names_of_config_maps(found)) == maps
    assert _source(before) != _source(after)


def _changed(folder: Path, setting: str) -> Path:
    """Return an overlay of the production overlay with another setting of the order-writer."""
    overlay = folder / "overlay"
    overlay.mkdir()
    relative = Path(*[".."] * len(overlay.parts[1:])) / PRODUCTION.relative_to("/") / "services"
    (overlay / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"namespace: ordermill\nresources: [{relative}]\nconfigMapGenerator:\n"
        f"  - {{name: order-writer, behavior: merge, literals: [{setting}]}}\n"
    )
    return overlay


def _names_of_config_maps(found: list[Manifest]) -> Iterator[str]:
    for it in of_kind(found, "Deployment", "StatefulSet"):
        for container in it["spec"]["template"]["spec"]["containers"]:
            yield from (source["configMapRef"]["name"] for source in container["envFrom"])
    for it in of_kind(found, "TriggerAuthentication"):
        yield from (target["name"] for target in it["spec"]["configMapTargetRef"])


def _source(found: list[Manifest]) -> str:
    writer = named(found, "order-writer", "TriggerAuthentication")
    name: str = writer["spec"]["configMapTargetRef"][0]["name"]
    return name


PLANTED: dict[str, Callable[[Any], None]] = {
    "Kafka": lambda it: it["spec"]["kafka"]["listeners"][0].update(NO_FIELD),
    "KafkaNodePool": lambda it: it["spec"].update(roles=["boss"]),
    "KafkaTopic": lambda it: it["spec"].update(partitions="many"),
    "KafkaUser": lambda it: it["spec"]["authorization"]["acls"][0].update(operations=["Rule"]),
    "ScaledObject": lambda it: it["spec"]["triggers"][0].update(NO_FIELD),
    "TriggerAuthentication": lambda it: it["spec"].update(NO_FIELD),
}
PLANTED_IN_KUBERNETES: dict[str, Callable[[Any], None]] = {
    "Deployment": lambda it: it["spec"]["template"]["spec"].update(enableServiceLink=False),
    "PodDisruptionBudget": lambda it: it["spec"].update(minAvailable={"count": 1}),
    "NetworkPolicy": lambda it: it["spec"].update(NO_FIELD),
    "HorizontalPodAutoscaler": lambda it: it["spec"].update(maxReplicas="all"),
}


def planted(kind: str, change: Callable[[Any], None]) -> Manifest:
    found = [it for part in ("kafka", "services") for it in validators.rendered(PRODUCTION / part)]
    changed = deepcopy(of_kind(found, kind)[0])
    change(changed)
    return changed


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_error_is_found_in_what_operators_define(kind: str, schemas: Schemas) -> None:
    assert validators.faults(schemas, [planted(kind, PLANTED[kind])])


@pytest.mark.parametrize("kind", PLANTED_IN_KUBERNETES)
def test_a_planted_error_is_found_in_kubernetes_own_kinds(
    kind: str, python: Path, tmp_path: Path
) -> None:
    changed = planted(kind, PLANTED_IN_KUBERNETES[kind])
    assert validators.kubernetes_faults(python, [changed], tmp_path)
