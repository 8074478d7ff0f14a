"""Who may call, and what an id proves: API keys and job ids."""
