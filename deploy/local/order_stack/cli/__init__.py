"""The orders command: what may be typed, and how results are printed."""
