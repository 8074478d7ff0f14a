"""What happened to an order, a job or a delivery, and what it waits for now."""
