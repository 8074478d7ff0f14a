"""Consumer groups: how far they are, and how an operator pauses them or sets them back."""
