"""The `orders` command: its options and arguments, and how results are printed."""
