"""The agent: measures one machine and pushes what it sees to the collector."""
