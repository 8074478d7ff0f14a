"""Settings of the enricher."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from order_runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    batch: int = Field(default=500, ge=1, le=5_000)
    """Records of one topic that are handled together."""
    hold_hours: float = Field(default=24, ge=0, le=24 * 30)
    """How long an action waits for its contact, from when its command was accepted; 0: not."""

    @property
    def hold_for(self) -> timedelta:
        return timedelta(hours=self.hold_hours)
