"""Settings of the action-trigger."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from order_runtime.documents.erasures import MIN_SECRET_LENGTH
from order_runtime.process.settings import ConsumerSettings


class Settings(ConsumerSettings):
    webhooks_file: Path
    """TOML: where each action goes, and the secrets it is signed with."""
    erasure_secret: str = Field(min_length=MIN_SECRET_LENGTH, repr=False)
    """Of the hashes by which erased contacts are known; the enricher's."""
