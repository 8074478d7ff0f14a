"""What operations connect to: a system's address, the file that names it, and the clients."""
