"""What a service shows of itself: metrics of all services, its dependencies, its lag, its loops."""
