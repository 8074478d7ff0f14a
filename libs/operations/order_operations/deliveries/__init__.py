"""Deliveries to endpoints: read, replayed, and endpoints opened and shut."""
