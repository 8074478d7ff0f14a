"""The generated files of deploy/compose, by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from order_manifests.compose import document, observability
from order_manifests.texts import yaml_text


def files() -> Iterator[tuple[Path, str]]:
    yield Path("compose.yaml"), yaml_text(document.document())
    yield Path("prometheus", "prometheus.yaml"), yaml_text(observability.scrape_config())
    grafana = Path("grafana")
    yield grafana / "datasources" / "ordermill.yaml", yaml_text(observability.data_sources())
    yield grafana / "dashboards" / "ordermill.yaml", yaml_text(observability.dashboard_provider())
