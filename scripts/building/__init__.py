"""Builds the agent as programs that need no Python: scripts/build-agent."""
