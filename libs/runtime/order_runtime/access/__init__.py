"""What services may do in Kafka and MongoDB: their rights as data, and which of them they lack."""
