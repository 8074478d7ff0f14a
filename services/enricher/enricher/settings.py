"""Settings of the enricher."""

from __future__ import annotations

from datetime import timedelta

import phonenumbers
from pydantic import Field, field_validator

from order_runtime.documents.erasures import MIN_SECRET_LENGTH
from order_runtime.process.settings import ConsumerSettings


class Settings(ConsumerSettings):
    batch: int = Field(default=500, ge=1, le=5_000)
    """Records of one topic that are handled together."""
    hold_hours: float = Field(default=24, ge=0, le=24 * 30)
    """How long an action waits for its contact, from when its command was accepted; 0: not."""
    phone_region: str = ""
    """The country (as in GB) whose phone numbers may come without their country code; or none."""

    erasure_secret: str = Field(min_length=MIN_SECRET_LENGTH, repr=False)
    """Of the hashes by which erased contacts are known; the action-trigger's too, for good."""

    @field_validator("phone_region")
    @classmethod
    def _country(cls, value: str) -> str:
        if value and value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("must be a country of ISO 3166, as in GB")
        return value

    @property
    def hold_for(self) -> timedelta:
        return timedelta(hours=self.hold_hours)
