"""What an embedded stack consists of: brokers, mongods, services, ports and folders."""
