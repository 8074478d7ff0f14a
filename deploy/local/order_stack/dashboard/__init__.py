"""A Kafka dashboard in the browser, without a container: kaskade, served by textual-serve."""
