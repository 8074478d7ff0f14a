"""MongoDB: clients, collection names and the store of erasures."""
