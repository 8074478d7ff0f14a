"""Registering a file of orders over HTTP, and following their jobs."""
