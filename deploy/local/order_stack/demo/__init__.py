"""The demo: sample orders, the webhook receiver, and a report."""
