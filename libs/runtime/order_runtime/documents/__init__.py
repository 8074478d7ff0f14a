"""Documents at rest: their shapes, and the updates that several services share. Pure."""
