"""The results of all stages as one file of JSON, which a run of one stage changes in its part."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench.contender import Stage
from bench.measurements import Round


@dataclass(frozen=True, slots=True)
class StageResult:
    """The rounds of a stage, when and of which commit."""

    what: str
    at: str
    commit: str
    load: float
    """The machine's load average: above its cores, others had a part of them."""
    rounds: Sequence[Round]


@dataclass(frozen=True, slots=True)
class Results:
    """What was measured last of each stage."""

    stages: Mapping[str, StageResult] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what the file holds; nothing where there is none."""
        if not path.exists():
            return cls()
        found = json.loads(path.read_text())["stages"]
        return cls({name: _stage_result(it) for name, it in found.items()})

    def with_stage(self, stage: Stage, rounds: Sequence[Round]) -> Results:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        result = StageResult(stage.what, now, _commit(), round(os.getloadavg()[1], 1), rounds)
        return Results({**self.stages, stage.name: result})

    def write(self, path: Path) -> None:
        stages = {name: _json(it) for name, it in self.stages.items()}
        found = {"machine": _machine(), "stages": stages}
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def _stage_result(found: Mapping[str, Any]) -> StageResult:
    rounds = [Round(it["contender"], it["figures"]) for it in found["rounds"]]
    return StageResult(found["what"], found["at"], found["commit"], found["load"], rounds)


def _json(result: StageResult) -> dict[str, Any]:
    rounds = [
        {
            "contender": it.contender,
            "figures": {name: round(value, 2) for name, value in it.figures.items()},
        }
        for it in result.rounds
    ]
    told = {"what": result.what, "at": result.at, "commit": result.commit, "load": result.load}
    return {**told, "rounds": rounds}


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version(), "os": platform.system()}


def _commit() -> str:
    argv = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
