"""Dashboards as Grafana's JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from order_operations.observability.consumer_dashboards import enricher, order_writer
from order_operations.observability.data_dashboards import dead_letters, privacy
from order_operations.observability.delivery_dashboards import action_trigger, deliveries
from order_operations.observability.gateway_dashboard import gateway
from order_operations.observability.overview_dashboard import overview
from order_operations.observability.panel import Dashboard, Panel

WIDTH: Final = 24
HEIGHT: Final = 8
ACROSS: Final = 3  # panels
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
Json = dict[str, Any]


def dashboards() -> tuple[Dashboard, ...]:
    services = (gateway(), order_writer(), enricher(), action_trigger())
    return (overview(), *services, dead_letters(), deliveries(), privacy())


def grafana_json(dashboard: Dashboard) -> Json:
    """Return a dashboard as Grafana imports it; it asks for the data source."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["ordermill"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "links": [
            {"type": "dashboards", "tags": ["ordermill"], "asDropdown": True, "title": "Ordermill"}
        ],
        "panels": [{"id": number, **it} for number, it in enumerate(_laid_out(dashboard), 1)],
    }


def _laid_out(dashboard: Dashboard) -> Iterator[Json]:
    """Yield rows and panels with their places, some panels beside each other."""
    y = 0
    width = WIDTH // ACROSS
    for row in dashboard.rows:
        place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
        yield {"type": "row", "title": row.title, "gridPos": place, "panels": []}
        y += 1
        for at, panel in enumerate(row.panels):
            x = at % ACROSS * width
            yield _panel(panel, {"h": HEIGHT, "w": width, "x": x, "y": y + at // ACROSS * HEIGHT})
        y += -(-len(row.panels) // ACROSS) * HEIGHT


def _panel(panel: Panel, place: Json) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                "datasource": SOURCE,
            }
            for number, query in enumerate(panel.queries)
        ],
    }
