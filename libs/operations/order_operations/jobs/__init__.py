"""Jobs and the integration log: what became of commands, and what is wrong with the data."""
