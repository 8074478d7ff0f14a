"""What watches the system in Compose finds services, rules, dashboards and spans."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from order_operations.observability.causes import MACHINES
from order_operations.observability.grafana import dashboards
from order_operations.observability.prometheus import example_targets, job_of
from order_operations.workloads.table import SERVICES
from support.manifests.compose import mounted_in, services
from support.manifests.pods import Manifest

OWN = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "jaeger": 16686}
"""Where each listens by default, and is published."""
OTLP = 4318


def seen(folder: Path, service: str, place: str) -> Any:
    """Return a YAML file that a service sees at *place*."""
    return yaml.safe_load((mounted_in(folder, service) / place).read_text())


@pytest.fixture
def prometheus(tmp_path: Path) -> Manifest:
    [place] = [
        it.removeprefix("--config.file=/")
        for it in services()["prometheus"]["command"]
        if it.startswith("--config.file=")
    ]
    found: Manifest = seen(tmp_path, "prometheus", place)
    return found


def test_each_service_is_scraped_at_its_health_port(prometheus: Manifest) -> None:
    ports = {it: services()[it]["environment"]["ORDERMILL_HEALTH_PORT"] for it in SERVICES}
    found = {it["job_name"]: it["static_configs"] for it in prometheus["scrape_configs"]}
    assert found == {
        **{job_of(it): [{"targets": [f"{it}:{port}"]}] for it, port in ports.items()},
        MACHINES: [{"targets": ["node-exporter:9100"]}],
    }


def test_every_job_of_the_rules_is_scraped(prometheus: Manifest, tmp_path: Path) -> None:
    found = {it["job_name"] for it in prometheus["scrape_configs"]}
    rules = (tmp_path / "etc" / "prometheus" / "rules.yaml").read_text()
    assert found == set(example_targets())
    assert set(re.findall(r'job="(.*?)"', rules)) <= found
    [pattern] = set(re.findall(r'job=~"(.*?)"', rules))
    assert [it for it in found if not re.fullmatch(pattern, it)] == []


def test_the_disks_of_kafka_and_mongodb_are_seen_and_nothing_else() -> None:
    exporter = services()["node-exporter"]
    stores = {it: services()[it]["volumes"] for it in ("kafka", "mongo")}
    assert exporter["volumes"] == [f"{it}:/data/{it}:ro" for it in stores]
    assert all(volume.startswith(f"{it}:") for it, [volume] in stores.items())
    assert "ports" not in exporter


def test_prometheus_finds_the_rules_and_tells_alertmanager(
    prometheus: Manifest, tmp_path: Path
) -> None:
    for it in prometheus["rule_files"]:
        assert (tmp_path / "etc" / "prometheus" / it).is_file()
    [manager] = prometheus["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": [f"alertmanager:{OWN['alertmanager']}"]}]


def test_grafana_asks_prometheus_and_shows_every_dashboard(tmp_path: Path) -> None:
    root = mounted_in(tmp_path, "grafana")
    provisioning = root / "etc" / "grafana" / "provisioning"
    [sources] = [yaml.safe_load(it.read_text()) for it in (provisioning / "datasources").iterdir()]
    [source] = sources["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert source["url"] == f"http://prometheus:{OWN['prometheus']}"

    [provided] = [yaml.safe_load(it.read_text()) for it in (provisioning / "dashboards").iterdir()]
    [provider] = provided["providers"]
    folder = root / provider["options"]["path"].lstrip("/")
    shown = {json.loads(it.read_text())["uid"] for it in folder.iterdir()}
    assert shown == {it.uid for it in dashboards()}


def test_grafana_begins_with_a_dashboard_that_there_is_and_has_no_user(tmp_path: Path) -> None:
    settings = services()["grafana"]["environment"]
    home = settings["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].lstrip("/")
    assert (mounted_in(tmp_path, "grafana") / home).is_file()
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_sends_jaeger_all_its_traces(service: str) -> None:
    settings = services()[service]["environment"]
    url = urlsplit(settings["ORDERMILL_TRACES_URL"])
    assert (settings["ORDERMILL_TRACES"], settings["ORDERMILL_TRACES_SAMPLE"]) == ("otlp", "1")
    assert (url.hostname, url.port, url.path) == ("jaeger", OTLP, "/v1/traces")
    assert "jaeger" in services()


@pytest.mark.parametrize(("service", "port"), OWN.items())
def test_each_is_published_for_this_machine_and_writes_to_volumes_alone(
    service: str, port: int
) -> None:
    part = services()[service]
    assert part["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert (part["read_only"], part["cap_drop"]) == (True, ["ALL"])
    files = [it for it in part.get("volumes", []) if it.startswith(".")]
    assert [it for it in files if not it.endswith(":ro")] == []


def test_the_kafka_dashboard_reads_and_masks() -> None:
    settings = services()["kafka-ui"]["environment"]
    assert settings["KAFKA_CLUSTERS_0_READONLY"] == "true"
    masked = settings["KAFKA_CLUSTERS_0_MASKING_0_TOPICVALUESPATTERN"]
    assert re.fullmatch(masked, "orders.commands.dlq")
    keys = settings["KAFKA_CLUSTERS_0_MASKING_0_TOPICKEYSPATTERN"]
    assert re.fullmatch(keys, "reference.contacts")
    assert not re.fullmatch(keys, "orders.events")
