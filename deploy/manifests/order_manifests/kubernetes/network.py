"""Who may reach the pods of the system, and whom they may reach."""

from __future__ import annotations

from typing import Final

from order_contracts.topics import GATEWAY, TRIGGER
from order_manifests.environment import CONTAINER_PORTS
from order_manifests.kubernetes.parts import (
    NAME_LABEL,
    SYSTEM,
    SYSTEM_LABEL,
    Manifest,
    resource,
)
from order_operations.workloads.processes import HEALTH, HTTP

KAFKA_PORT: Final = 9093
MONGO_PORT: Final = 27017
DNS_PORT: Final = 53
HTTPS_PORT: Final = 443
OTLP_PORT: Final = 4318
MONITORING: Final = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
}
PRIVATE_V4: Final = ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
MORE_PRIVATE_V4: Final = ("172.16.0.0/12", "192.168.0.0/16")
PRIVATE_V6: Final = ("::1/128", "fc00::/7", "fe80::/10")


def manifests() -> list[Manifest]:
    """Return the policies; what none of them allows is denied to all pods of the system."""
    return [_denied(), _backends(), _clients(), _metrics(), _webhooks()]


def _denied() -> Manifest:
    return _policy("ordermill-denied", {SYSTEM_LABEL: SYSTEM}, policyTypes=["Ingress", "Egress"])


def _backends() -> Manifest:
    """
    Kafka is Strimzi's in this namespace; MongoDB may be anywhere, DNS is wherever it is.

    A collector of traces is in the namespace of what reads the metrics.
    """
    kafka = {"podSelector": {"matchLabels": {"strimzi.io/cluster": SYSTEM}}}
    egress = [
        {"ports": [_port(DNS_PORT, "UDP"), _port(DNS_PORT)]},
        {"to": [kafka], "ports": [_port(KAFKA_PORT)]},
        {"ports": [_port(MONGO_PORT)]},
        {"to": [MONITORING], "ports": [_port(OTLP_PORT)]},
    ]
    selected = {SYSTEM_LABEL: SYSTEM}
    return _policy("ordermill-backends", selected, policyTypes=["Egress"], egress=egress)


def _clients() -> Manifest:
    ingress = [{"ports": [_port(CONTAINER_PORTS[HTTP])]}]
    selected = {NAME_LABEL: GATEWAY}
    return _policy("ordermill-clients", selected, policyTypes=["Ingress"], ingress=ingress)


def _metrics() -> Manifest:
    ingress = [{"from": [MONITORING], "ports": [_port(CONTAINER_PORTS[HEALTH])]}]
    selected = {SYSTEM_LABEL: SYSTEM}
    return _policy("ordermill-metrics", selected, policyTypes=["Ingress"], ingress=ingress)


def _webhooks() -> Manifest:
    """Webhooks go to public addresses, as the action-trigger itself sees to."""
    public = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*PRIVATE_V4, *MORE_PRIVATE_V4]}},
        {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
    ]
    egress = [{"to": public, "ports": [_port(HTTPS_PORT)]}]
    selected = {NAME_LABEL: TRIGGER}
    return _policy("ordermill-webhooks", selected, policyTypes=["Egress"], egress=egress)


def _policy(name: str, selected: Manifest, **rules: list[str] | list[Manifest]) -> Manifest:
    spec = {"podSelector": {"matchLabels": selected}, **rules}
    return resource("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _port(number: int, protocol: str = "TCP") -> Manifest:
    return {"port": number, "protocol": protocol}
