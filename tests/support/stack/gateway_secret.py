"""The secret that a stack's gateways sign with."""

from __future__ import annotations

import json
from pathlib import Path

from support.stack.running_stack import RunningStack


def job_secret(stack: RunningStack) -> bytes:
    """Return the secret of the stack's gateways and order-writers."""
    state = json.loads((stack.command.home / stack.name / "stack.json").read_text())
    identity = json.loads((Path(state["data"]) / "identity.json").read_text())
    return bytes(identity["job_secret"], "ascii")
