"""Settings of the action-trigger."""

from __future__ import annotations

from pathlib import Path

from order_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    webhooks_file: Path
    """TOML: where each action goes, and the secrets it is signed with."""
