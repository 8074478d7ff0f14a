"""Who runs and who is outside, as data: processes, and the rights that each needs."""
