"""Kafka: records, dead letters, partitions, offsets and publishing."""
