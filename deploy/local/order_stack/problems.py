"""The errors of the embedded stack, each a sentence for a person."""

from __future__ import annotations


class StackProblem(Exception):
    """Its text is a sentence for the terminal: what is wrong, and what to do about it."""


class PortTaken(StackProblem):
    """Another process took a port between its choice and its use; other ports may be free."""
