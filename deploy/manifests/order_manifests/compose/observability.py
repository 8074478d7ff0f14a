"""What watches the system in Compose: metrics, alerts, dashboards and traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from order_manifests.environment import CONTAINER_PORTS
from order_operations.observability.causes import MACHINES
from order_operations.observability.prometheus import job_of, prometheus_config
from order_operations.workloads.processes import HEALTH
from order_operations.workloads.table import SERVICES

Part = dict[str, Any]

PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.13.5"
ALERTMANAGER_IMAGE: Final = "prom/alertmanager:v0.34.1"
GRAFANA_IMAGE: Final = "grafana/grafana:12.4.4"
NODE_EXPORTER_IMAGE: Final = "prom/node-exporter:v1.12.1"
JAEGER_IMAGE: Final = "jaegertracing/jaeger:2.21.0"
PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093
GRAFANA_PORT: Final = 3000
NODE_EXPORTER_PORT: Final = 9100
JAEGER_PORT: Final = 16686
SPANS: Final = "http://jaeger:4318/v1/traces"
"""Where Jaeger takes spans by OTLP over HTTP."""
OBSERVABILITY: Final = "../observability"
DASHBOARDS: Final = "/etc/ordermill/dashboards"
VOLUMES: Final = ("prometheus", "alertmanager", "grafana")
INTERVAL: Final = "15s"
_GRAFANA: Final[Mapping[str, str]] = {
    # Everybody who reaches it reads; there is no user, so no password that everybody knows either.
    "GF_AUTH_ANONYMOUS_ENABLED": "true",
    "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
    "GF_AUTH_DISABLE_LOGIN_FORM": "true",
    "GF_AUTH_BASIC_ENABLED": "false",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{DASHBOARDS}/ordermill-overview.json",
    # It asks nothing of the internet.
    "GF_ANALYTICS_REPORTING_ENABLED": "false",
    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
    "GF_NEWS_NEWS_FEED_ENABLED": "false",
    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
}


def parts() -> dict[str, Part]:
    """Return the services of the compose file, by name."""
    return {
        "prometheus": _prometheus(),
        "alertmanager": _alertmanager(),
        "grafana": _grafana(),
        "node-exporter": _node_exporter(),
        "jaeger": _jaeger(),
    }


def trace_settings() -> Mapping[str, str]:
    """Return the settings, without their prefix, by which a service sends Jaeger all traces."""
    return {"TRACES": "otlp", "TRACES_URL": SPANS, "TRACES_SAMPLE": "1"}


def scrape_config() -> Mapping[str, Any]:
    """Return Prometheus' configuration: everything by its name in the compose network."""
    services = {job_of(it): [f"{it}:{CONTAINER_PORTS[HEALTH]}"] for it in SERVICES}
    targets = {**services, MACHINES: [f"node-exporter:{NODE_EXPORTER_PORT}"]}
    return prometheus_config(targets, INTERVAL, [f"alertmanager:{ALERTMANAGER_PORT}"])


def data_sources() -> Mapping[str, Any]:
    """Return Grafana's one data source, which the dashboards take by default."""
    source = {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": f"http://prometheus:{PROMETHEUS_PORT}",
        "isDefault": True,
        "editable": False,
        "jsonData": {"timeInterval": INTERVAL},
    }
    return {"apiVersion": 1, "datasources": [source]}


def dashboard_provider() -> Mapping[str, Any]:
    """Return where Grafana finds the dashboards; what is changed on its pages isn't kept."""
    provider = {
        "name": "ordermill",
        "folder": "Ordermill",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": DASHBOARDS},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _prometheus() -> Part:
    own = "/etc/prometheus"
    return {
        **_read_only(PROMETHEUS_IMAGE),
        "ports": _for_this_machine(PROMETHEUS_PORT),
        "command": [
            f"--config.file={own}/prometheus.yaml",
            "--storage.tsdb.path=/prometheus",
            f"--web.external-url=http://127.0.0.1:{PROMETHEUS_PORT}",
        ],
        "volumes": [
            f"./prometheus/prometheus.yaml:{own}/prometheus.yaml:ro",
            f"{OBSERVABILITY}/prometheus/rules.yaml:{own}/rules.yaml:ro",
            "prometheus:/prometheus",
        ],
    }


def _alertmanager() -> Part:
    """Run one that shows what fires, and tells nobody until its receivers have addresses."""
    file = "/etc/alertmanager/alertmanager.yaml"
    return {
        **_read_only(ALERTMANAGER_IMAGE),
        "ports": _for_this_machine(ALERTMANAGER_PORT),
        "command": [
            f"--config.file={file}",
            "--storage.path=/alertmanager",
            f"--web.external-url=http://127.0.0.1:{ALERTMANAGER_PORT}",
            "--cluster.listen-address=",  # it is alone
        ],
        "volumes": [
            f"{OBSERVABILITY}/alertmanager.yaml:{file}:ro",
            "alertmanager:/alertmanager",
        ],
    }


def _grafana() -> Part:
    provisioning = "/etc/grafana/provisioning"
    return {
        **_read_only(GRAFANA_IMAGE),
        "ports": _for_this_machine(GRAFANA_PORT),
        "environment": dict(_GRAFANA),
        "volumes": [
            f"./grafana/datasources:{provisioning}/datasources:ro",
            f"./grafana/dashboards:{provisioning}/dashboards:ro",
            f"{OBSERVABILITY}/grafana:{DASHBOARDS}:ro",
            "grafana:/var/lib/grafana",
        ],
    }


def _jaeger() -> Part:
    """Run Jaeger as its image does without a configuration: it keeps traces in memory."""
    return {**_read_only(JAEGER_IMAGE), "ports": _for_this_machine(JAEGER_PORT)}


def _node_exporter() -> Part:
    """Run one that sees no more of the machine than the disks of Kafka's and MongoDB's data."""
    return {
        **_read_only(NODE_EXPORTER_IMAGE),
        "command": [
            "--collector.disable-defaults",
            "--collector.filesystem",
            "--collector.filesystem.mount-points-exclude=^/(etc|proc|sys|dev|tmp)($$|/)",
        ],
        "volumes": [f"{it}:/data/{it}:ro" for it in ("kafka", "mongo")],
    }


def _for_this_machine(port: int) -> list[str]:
    return [f"127.0.0.1:{port}:{port}"]


def _read_only(image: str) -> Part:
    """Return a service that writes to volumes alone, and has no rights of the machine's."""
    return {
        "image": image,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
    }
