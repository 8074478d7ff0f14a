"""Kafka, MongoDB and HTTP: everything that reaches outside the process."""
