"""What is wrong with a running system: facts that are gathered, and findings that follow."""
