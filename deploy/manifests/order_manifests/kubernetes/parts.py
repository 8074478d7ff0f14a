"""Parts that several manifests have: metadata, labels, and hardened pods and containers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from order_manifests.environment import USER, SecretFile
from order_runtime.process.connection_settings import PREFIX

Manifest = dict[str, Any]

SYSTEM: Final = "ordermill"
NAME_LABEL: Final = "app.kubernetes.io/name"
SYSTEM_LABEL: Final = "app.kubernetes.io/part-of"
MONGO_CA: Final = "ordermill-mongo-ca"
TEMPORARY: Final = "tmp"
OWNER_READS: Final = 0o440


def resource(api: str, kind: str, name: str, **fields: Any) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": metadata(name), **fields}


def metadata(name: str) -> Manifest:
    return {"name": name, "labels": labels(name)}


def labels(name: str) -> Manifest:
    return {NAME_LABEL: name, SYSTEM_LABEL: SYSTEM}


def image(name: str) -> str:
    """Return the name by which overlays choose registry and tag."""
    return f"ordermill/{name}"


def pod(containers: list[Manifest], volumes: list[Manifest], **fields: Any) -> Manifest:
    """Return the specification of a pod that the restricted Pod Security Standard admits."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **fields,
        "containers": containers,
        "volumes": [*volumes, {"name": TEMPORARY, "emptyDir": {"sizeLimit": "64Mi"}}],
    }


def container(name: str, of_image: str, mounts: list[Manifest], **fields: Any) -> Manifest:
    return {
        "name": name,
        "image": image(of_image),
        **fields,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [*mounts, {"name": TEMPORARY, "mountPath": "/tmp"}],  # noqa: S108
    }


def resources(cpu: str, memory: str) -> Manifest:
    """Return no limit of CPU: it would hold a process back while the machine is idle."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def file_variables(files: Iterable[SecretFile]) -> list[Manifest]:
    return [{"name": f"{PREFIX}{it.setting}", "value": it.path} for it in files]


def variables(settings: Mapping[str, str]) -> list[Manifest]:
    return [{"name": name, "value": value} for name, value in settings.items()]


def secret_volumes(files: Iterable[SecretFile]) -> list[Manifest]:
    return [secret_volume(it) for it in dict.fromkeys(file.secret for file in files)]


def secret_volume(secret: str, **fields: Any) -> Manifest:
    source = {"secretName": secret, "defaultMode": OWNER_READS, **fields}
    return {"name": secret, "secret": source}


def secret_mounts(files: Iterable[SecretFile]) -> list[Manifest]:
    folders = {it.secret: it.folder for it in files}
    return [mount(secret, folder) for secret, folder in folders.items()]


def mount(volume: str, folder: str) -> Manifest:
    return {"name": volume, "mountPath": folder, "readOnly": True}
