"""The public promise: what goes in, what comes out, under which names."""
