"""The Job that makes topics, MongoDB's roles, indexes and documents what a release wants."""

from __future__ import annotations

from typing import Final

from order_contracts.topics import MIGRATOR
from order_manifests.environment import MOUNTS, SecretFile, login_files
from order_manifests.kubernetes.parts import (
    MONGO_CA,
    SYSTEM,
    Manifest,
    container,
    labels,
    mount,
    pod,
    resource,
    resources,
    secret_mounts,
    secret_volume,
    secret_volumes,
)

NAME: Final = "ordermill-migration"
IMAGE: Final = "operations"
PROFILES: Final = "ordermill-profiles"
ADMIN: Final = "admin"
KEPT_SECONDS: Final = 24 * 60 * 60
TRIES: Final = 3


def job() -> Manifest:
    """
    Return the Job; each step may be said again, so a pod that fails is made anew.

    Kafka's ACLs aren't among the steps: Strimzi makes them of the KafkaUsers, from the same data.
    """
    *before, last = (
        _step("topics", "topics", "apply", profile=MIGRATOR),
        _step("access", "access", "apply", "--only", "mongo", "--grant-only", profile=ADMIN),
        _step("migrate", "migrate", "apply", profile=MIGRATOR),
    )
    volumes = [
        {"name": PROFILES, "configMap": {"name": PROFILES}},
        *secret_volumes(_files()),
        secret_volume(MONGO_CA, optional=True),
    ]
    spec = pod([last], volumes, restartPolicy="Never", initContainers=before)
    template = {"metadata": {"labels": labels(NAME)}, "spec": spec}
    kept = {"backoffLimit": TRIES, "ttlSecondsAfterFinished": KEPT_SECONDS}
    return resource("batch/v1", "Job", NAME, spec={**kept, "template": template})


def admin_login() -> SecretFile:
    """Return who gives the others their roles: a user with `userAdmin` on the database."""
    return SecretFile("MONGO_FILE", f"ordermill-mongo-{ADMIN}", "uri")


def _files() -> tuple[SecretFile, ...]:
    return (*login_files(MIGRATOR), admin_login())


def _step(name: str, *command: str, profile: str) -> Manifest:
    """Return a container that reads the login of its own step alone."""
    files = (admin_login(),) if profile == ADMIN else login_files(MIGRATOR)
    return container(
        name,
        IMAGE,
        [
            *secret_mounts(files),
            mount(MONGO_CA, f"{MOUNTS}/{MONGO_CA}"),
            mount(PROFILES, f"{MOUNTS}/{PROFILES}"),
        ],
        command=["orders", *command, "--profile", f"{MOUNTS}/{PROFILES}/{profile}.env"],
        resources=resources("100m", "256Mi"),
    )


def admin_profile() -> dict[str, str]:
    return {"ORDERMILL_MONGO_FILE": admin_login().path, "ORDERMILL_DATABASE": SYSTEM}
