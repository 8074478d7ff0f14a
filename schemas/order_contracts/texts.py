"""Keys as people and systems type them: what is around one and can't be seen is no part of it."""

from __future__ import annotations

from typing import Final
from unicodedata import category

UNSEEN: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""
Unicode's categories of characters that are trimmed: separators (the no-break space among them),
controls (tab, line feed), and formats (byte order mark, zero-width space, soft hyphen, marks of
direction).
"""


def trimmed(text: str) -> str:
    """Return *text* without the blanks and invisible marks at its ends."""
    if "!" <= text[:1] <= "~" and "!" <= text[-1:] <= "~":
        return text  # as nearly all: each end is a visible character of ASCII
    start, end = 0, len(text)
    while start < end and category(text[start]) in UNSEEN:
        start += 1
    while start < end and category(text[end - 1]) in UNSEEN:
        end -= 1
    return text[start:end]


def is_blank(text: str) -> bool:
    """Return whether there is nothing to see in *text*."""
    return not trimmed(text)
