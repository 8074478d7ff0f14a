"""Manifests as text: YAML documents, and lines NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import yaml

MADE_BY: Final = "# Written by `make manifests` from the table of workloads.\n"


class _Plain(yaml.SafeDumper):
    """Repeats what it repeats, rather than pointing to where it said it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def yaml_text(*documents: object) -> str:
    texts = yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return MADE_BY + texts


def lines(settings: Mapping[str, str]) -> str:
    return MADE_BY + "".join(f"{name}={value}\n" for name, value in settings.items())
