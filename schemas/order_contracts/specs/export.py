"""
Write the published documents, or check that the committed ones are current.

    python -m order_contracts.specs.export schemas [--check]
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic.json_schema import JsonSchemaMode

from order_contracts.base import Message
from order_contracts.commands import COMMANDS
from order_contracts.events import (
    ActionDelivered,
    ActionFailed,
    EventType,
    OrderAction,
    OrderEnriched,
    OrderEvent,
)
from order_contracts.job import Job
from order_contracts.reference import Article, Contact, Store
from order_contracts.specs import asyncapi
from order_contracts.specs.openapi import document

MAX_SHOWN: Final = 8_000  # characters of an example


def messages() -> Mapping[str, tuple[type[Message], JsonSchemaMode]]:
    """Return the model of every message by its `ce_type`, and whether we read or write it."""
    read: dict[str, type[Message]] = dict(COMMANDS) | {
        "Contact.v1": Contact,
        "Article.v1": Article,
        "Store.v1": Store,
    }
    written: dict[str, type[Message]] = dict.fromkeys(EventType, OrderEvent) | {
        model.TYPE: model for model in (OrderEnriched, OrderAction, ActionDelivered, ActionFailed)
    }
    return {name: (model, "validation") for name, model in read.items()} | {
        name: (model, "serialization") for name, model in (written | {"Job.v1": Job}).items()
    }


def rendered(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of every published document, with the examples in *folder*."""
    for name, (model, mode) in messages().items():
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **model.model_json_schema(by_alias=True, mode=mode),
            "title": name,
        }
        text = json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        yield Path("json", f"{name}.schema.json"), text
    yield Path("openapi.json"), document()
    described = asyncapi.document(messages(), dict(_examples(folder / "examples")))
    yield Path("asyncapi.yaml"), _yaml(described)


def _examples(folder: Path) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yield the accepted examples of each message that are short enough to be read."""
    for accepted in sorted(folder.glob("*/accepted")):
        texts = [(path.stem, path.read_text()) for path in sorted(accepted.glob("*.json"))]
        # A `$ref` in free data would be followed by who reads the document.
        readable = [it for it in texts if len(it[1]) <= MAX_SHOWN and '"$ref"' not in it[1]]
        shown = [(name, json.loads(text)) for name, text in readable]
        yield accepted.parent.name, shown


def _yaml(content: object) -> str:
    """Return YAML that repeats what it repeats, rather than pointing to where it said it."""
    dumper = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100)


def stale(folder: Path) -> list[Path]:
    """Return the documents in *folder* that differ from what the models say, or shouldn't be."""
    wanted = dict(rendered(folder))
    found = {path.relative_to(folder) for path in folder.glob("json/*.json")}
    changed = [path for path, text in wanted.items() if _text(folder / path) != text]
    return sorted({*changed, *(found - set(wanted))})


def write(folder: Path) -> None:
    """Make *folder* hold exactly what the models say."""
    for path in stale(folder):
        (folder / path).unlink(missing_ok=True)
    for path, text in rendered(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main(folder: Path, *, check: bool) -> int:
    if not check:
        write(folder)
        return 0
    differing = stale(folder)
    if differing:
        names = ", ".join(map(str, differing))
        sys.stderr.write(f"Not what the models say; run make schemas: {names}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    sys.exit(main(options.folder, check=options.check))
