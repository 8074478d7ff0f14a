"""What operators do to a running system, on any Kafka and MongoDB, with no terminal in it."""
