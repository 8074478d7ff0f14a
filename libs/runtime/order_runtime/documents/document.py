"""A document of MongoDB as a plain value, for those who don't touch the database."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
