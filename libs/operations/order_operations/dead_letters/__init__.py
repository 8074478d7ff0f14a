"""Dead letters: read, replayed, dropped, counted, and what became of them."""
