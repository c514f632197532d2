"""Jobs: what is sent, what is shown, and what is waited for."""
