"""How commands print what they found: tables, summaries, progress and lines of logs."""
