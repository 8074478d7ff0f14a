"""What people read agrees with what is there: settings, metrics, topics, codes, targets, links."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic_core import PydanticUndefined

from order_contracts.commands import COMMANDS
from order_contracts.integration_log import _ENTRIES as CODES
from order_contracts.topics import TOPICS
from order_runtime.process.log_events import LogEvent
from order_runtime.process.settings import ServiceSettings
from support.stack.doc_examples import PUBLISHING, README, ROOT

OPERATING = ROOT / "docs" / "operating.md"
SERVICES = ("gateway", "order_writer", "enricher", "action_trigger")
METRICS = ("order_runtime.observability.metrics", *(f"{it}.metrics" for it in SERVICES))
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def row(name: str, default: object) -> str:
    """Return how the row of a setting begins."""
    shown = {PydanticUndefined: "required", "": "empty", None: "none"}.get(default, f"`{default}`")
    return f"| `ORDERMILL_{name.upper()}` | {shown} |"


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_documented_with_its_default(service: str) -> None:
    settings: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    text = OPERATING.read_text()

    rows = [row(name, field.default) for name, field in settings.model_fields.items()]

    assert [it for it in rows if it not in text] == []


def test_every_metric_is_documented() -> None:
    for module in METRICS:
        import_module(module)
    text = OPERATING.read_text()

    ours = {it.name for it in REGISTRY.collect() if it.name.startswith("ordermill_")}

    assert ours
    assert {name for name in ours if f"`{name}" not in text} == set()
    assert set(re.findall(r"^\| `(ordermill_\w+)", text, re.MULTILINE)) == ours


def test_every_metric_has_a_sentence() -> None:
    for module in METRICS:
        import_module(module)

    ours = [it for it in REGISTRY.collect() if it.name.startswith("ordermill_")]

    assert [it.name for it in ours if not it.documentation.endswith(".")] == []


def declared_log_events() -> list[LogEvent]:
    modules = ["order_runtime.process.log_events", *(f"{it}.log_events" for it in SERVICES)]
    return [
        event
        for name in modules
        for event in vars(import_module(name)).values()
        if isinstance(event, LogEvent)
    ]


def test_every_log_event_is_documented() -> None:
    text = OPERATING.read_text()
    table = text[text.index("\n## Logs") : text.index("\n## API keys")]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    documented = [name for cell in cells for name in re.findall(r"`([^`]*)`", cell)]

    events = declared_log_events()

    assert sorted(documented) == sorted(set(events))
    assert len(events) == len(set(events)), "each is declared once"
    assert [it for it in events if not it.meaning.endswith(".")] == []


def test_a_log_line_names_its_event_by_its_declaration() -> None:
    sources = [*(ROOT / "libs" / "runtime").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
    calls = re.compile(r"\blog\(\)\.(?:debug|info|warning|error|critical)\(\s*f?[\"']")

    assert [str(path.relative_to(ROOT)) for path in sources if calls.search(path.read_text())] == []


def test_every_topic_is_documented_with_its_limit() -> None:
    lines = OPERATING.read_text().splitlines()

    for topic in TOPICS:
        assert any(
            f"`{topic.name}`" in line and f"| {topic.max_message_bytes} |" in line for line in lines
        ), topic.name


def test_every_code_of_the_integration_log_is_documented() -> None:
    assert {code for code in CODES if code not in OPERATING.read_text()} == set()


def test_every_command_is_documented_for_publishers() -> None:
    assert {kind for kind in COMMANDS if f"`{kind}`" not in PUBLISHING.read_text()} == set()


def test_the_readme_lists_the_targets_of_the_makefile() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony

    assert set(re.findall(r"^\| `make (\S+)` ", README.read_text(), re.MULTILINE)) == set(
        phony[1].split()
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: str(it.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())

    local = [target for target in targets if not target.startswith("https://")]

    assert [it for it in local if not (document.parent / it).exists()] == []
