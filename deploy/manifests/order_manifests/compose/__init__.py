"""The system on one machine, for Docker Compose, and what watches it there."""
