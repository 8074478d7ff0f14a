"""Decisions and values: pure functions of their arguments, time included."""
