"""Checks at start: whether Kafka and MongoDB are what a service requires."""
