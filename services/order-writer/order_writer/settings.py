"""Settings of the order-writer."""

from __future__ import annotations

from pydantic import Field

from order_runtime.process.settings import ConsumerSettings


class Settings(ConsumerSettings):
    job_secrets: str = Field(default="", repr=False)
    """
    The gateways' secrets, comma-separated. With them the writer knows a command that one of our
    own gateways signed: if such a one can't be read, the writer stops instead of refusing it.
    """
    batch_commands: int = Field(default=2_000, ge=1, le=10_000)
    batch_bytes: int = Field(default=16 * 1024 * 1024, ge=1024 * 1024)
    """Bytes of commands and stored orders in one transaction."""
