"""What a person has to know when the stack can't do what was asked: one sentence each."""

from __future__ import annotations


class StackProblem(Exception):
    """Its text is a sentence for the terminal: what is wrong, and what to do about it."""


class PortTaken(StackProblem):
    """Somebody else took a port between choosing and binding it; other ports may do."""
