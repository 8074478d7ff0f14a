"""A MongoDB document as a plain value, for modules that import no driver."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
