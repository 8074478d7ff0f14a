"""Applies each order command once, in order, and settles its job."""
