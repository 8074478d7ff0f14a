"""The error that every operation raises."""

from __future__ import annotations


class OperationFailed(Exception):
    """Its text is one sentence for a person: what is wrong, and what to do about it. No secrets."""
