"""
Write the rules and dashboards, or check that the committed ones are current.

    python -m order_operations.observability.export deploy/observability [--check]

`--scale 0.02` makes all windows and waits fifty times shorter, as drills want them; `--runbooks`
is where docs/runbooks is served.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

import yaml

from order_operations.observability.grafana import dashboards, grafana_json
from order_operations.observability.prometheus import (
    RUNBOOKS,
    alertmanager_config,
    alerts,
    example_targets,
    prometheus_config,
    rule_file,
)
from order_operations.observability.timing import Timing


def rendered(timing: Timing, runbooks: str = RUNBOOKS) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of every file."""
    yield Path("prometheus", "rules.yaml"), as_yaml(rule_file(timing, runbooks))
    yield Path("prometheus", "prometheus.yaml"), as_yaml(prometheus_config(example_targets()))
    yield Path("alertmanager.yaml"), as_yaml(alertmanager_config(alerts(timing)))
    for it in dashboards():
        text = json.dumps(grafana_json(it), indent=2, ensure_ascii=False) + "\n"
        yield Path("grafana", f"{it.uid}.json"), text


def as_yaml(content: object) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text


def stale(folder: Path, files: Iterator[tuple[Path, str]]) -> list[Path]:
    """Return the files of *folder* that differ, or should not be there."""
    wanted = dict(files)
    found = {it.relative_to(folder) for it in folder.rglob("*") if it.suffix in {".json", ".yaml"}}
    differ = [
        path
        for path, text in wanted.items()
        if not (folder / path).exists() or (folder / path).read_text() != text
    ]
    return sorted({*differ, *(found - wanted.keys())})


def write(folder: Path, files: Iterator[tuple[Path, str]]) -> None:
    for path, text in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def main(arguments: Namespace) -> None:
    files = rendered(Timing(arguments.scale), arguments.runbooks)
    if not arguments.check:
        write(arguments.folder, files)
    elif old := stale(arguments.folder, files):
        raise SystemExit(
            f"Not current, `make observability` writes them: {', '.join(map(str, old))}"
        )


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runbooks", default=RUNBOOKS)
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
