"""A service as a process: settings, logs, health, signals, retries and its exit."""
