"""A pod of a manifest as a process of this machine: its command, environment, ports and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
MOUNTS = "/etc/ordermill"

Manifest = dict[str, Any]
Secrets = Mapping[str, Mapping[str, str]]
"""The text of each key of each Secret, by its name."""


@dataclass(frozen=True, slots=True)
class ContainerProcess:
    """What a container runs, with the Secrets that it mounts in a folder of this machine."""

    command: Sequence[str]
    environ: Mapping[str, str]
    ports: Mapping[str, int]
    container: Manifest


def documents(file: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(file.read_text()))


def committed() -> list[Manifest]:
    """Return all manifests of the bases and components, as they are committed."""
    files = sorted(it for it in KUBERNETES.rglob("*.yaml") if "overlays" not in it.parts)
    return [it for file in files for it in documents(file) if "metadata" in it]


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [it for it in manifests if it["kind"] in kinds]


def named(manifests: Iterable[Manifest], name: str, *kinds: str) -> Manifest:
    [found] = [it for it in of_kind(manifests, *kinds) if it["metadata"]["name"] == name]
    return found


def base_config_maps() -> dict[str, dict[str, str]]:
    """Return what kustomize makes of the bases' files of settings."""
    return {it.stem: settings(it) for it in (BASE / "services").glob("*.env")}


def settings(file: Path) -> dict[str, str]:
    lines = (it for it in file.read_text().splitlines() if not it.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def process_of(
    workload: Manifest,
    config_maps: Mapping[str, Mapping[str, str]],
    secrets: Secrets,
    folder: Path,
) -> ContainerProcess:
    """
    Return the one container of a workload as the kubelet would start it, as its pod 0.

    Each file below `/etc/ordermill` is below *folder* instead; there are those that it mounts.
    """
    pod = pod_of(workload)
    [container] = pod["containers"]
    _mount(pod, container, secrets, folder)
    environ = {
        name: value
        for source in container.get("envFrom", [])
        for name, value in config_maps[source["configMapRef"]["name"]].items()
    }
    pod_name = f"{workload['metadata']['name']}-0"
    environ |= {it["name"]: _value(it, pod_name) for it in container["env"]}
    return ContainerProcess(
        container["command"],
        {name: value.replace(MOUNTS, str(folder)) for name, value in environ.items()},
        {it["name"]: it["containerPort"] for it in container["ports"]},
        container,
    )


def mount_secrets(secrets: Secrets, folder: Path) -> None:
    """Write each Secret as a folder of files."""
    for secret, keys in secrets.items():
        (folder / secret).mkdir(parents=True, exist_ok=True)
        for key, text in keys.items():
            (folder / secret / key).write_text(text)


def config_maps(manifests: Iterable[Manifest]) -> dict[str, dict[str, str]]:
    return {it["metadata"]["name"]: it["data"] for it in of_kind(manifests, "ConfigMap")}


def _mount(pod: Manifest, container: Manifest, secrets: Secrets, folder: Path) -> None:
    """Write the Secrets that the container mounts; one that is optional may be missing."""
    sources = {it["name"]: it["secret"] for it in pod["volumes"] if "secret" in it}
    for mounted in container["volumeMounts"]:
        source = sources.get(mounted["name"])
        if source is None or (source.get("optional") and source["secretName"] not in secrets):
            continue
        name = source["secretName"]
        assert mounted["mountPath"] == f"{MOUNTS}/{name}"
        mount_secrets({name: secrets[name]}, folder)


def _value(variable: Manifest, pod_name: str) -> str:
    if "valueFrom" not in variable:
        return str(variable["value"])
    assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    return pod_name
