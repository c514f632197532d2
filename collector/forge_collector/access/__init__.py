"""Who may come in: tokens, sessions, one-time login codes."""
