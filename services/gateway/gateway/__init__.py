"""The thin front: validates order commands, publishes them, answers with job ids."""
