"""Reference data: published, read, and the wait until the enricher has healed by it."""
