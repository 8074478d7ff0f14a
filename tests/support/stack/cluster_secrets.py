"""The Secrets that a cluster would hold, with what lets workloads into a secure stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from order_contracts.topics import MIGRATOR
from order_operations.connections.profile import profile_variables
from order_operations.workloads.table import SERVICES
from order_stack.cluster.certificates import certificate_in
from order_stack.cluster.logins import authority_file, certificates_folder
from order_stack.cluster.parts import ADMIN
from support.stack.running_stack import RunningStack

MONGO_CA = "ordermill-mongo-ca"


def cluster_secrets(stack: RunningStack, mounts: str) -> dict[str, dict[str, str]]:
    """
    Return the text of each key by the Secret's name, as docs/deploying.md names them.

    *mounts* is where the Secrets are folders: MongoDB's URIs name a file there.
    """
    data = _data(stack)
    authority = authority_file(data).read_text()
    https = certificate_in(certificates_folder(data), "gateway")
    return {
        **_logins(stack, mounts),
        **_shared(data),
        "ordermill-cluster-ca-cert": {"ca.crt": authority},
        MONGO_CA: {"ca.crt": authority},
        "ordermill-gateway-tls": {
            "tls.crt": https.cert.read_text(),
            "tls.key": https.key.read_text(),
        },
    }


def kafka_clients(stack: RunningStack) -> str:
    """Return where Kafka takes logins by password."""
    return profile_variables(stack.profile_file(MIGRATOR))["ORDERMILL_KAFKA"]


def _data(stack: RunningStack) -> Path:
    state = json.loads((stack.command.home / stack.name / "stack.json").read_text())
    return Path(state["data"])


def _shared(data: Path) -> Mapping[str, dict[str, str]]:
    identity = json.loads((data / "identity.json").read_text())
    return {
        "ordermill-job-secrets": {"job-secrets": identity["job_secret"]},
        "ordermill-erasure-secret": {"erasure-secret": identity["erasure_secret"]},
        "ordermill-api-keys": {"keys.json": (data / "keys.json").read_text()},
        "ordermill-webhooks": {"webhooks.toml": (data / "webhooks.toml").read_text()},
    }


def _logins(stack: RunningStack, mounts: str) -> Mapping[str, dict[str, str]]:
    found = {}
    trusting = f"&tls=true&tlsCAFile={mounts}/{MONGO_CA}/ca.crt"
    for workload in (*SERVICES, MIGRATOR, ADMIN):
        profile = profile_variables(stack.profile_file(workload))
        found[f"ordermill-mongo-{workload}"] = {"uri": f"{profile['ORDERMILL_MONGO']}{trusting}"}
        if password := profile.get("ORDERMILL_KAFKA_PASSWORD"):
            found[f"kafka-{workload}"] = {"password": password}
    return found
