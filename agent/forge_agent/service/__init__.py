"""The agent as a service: set up, taken away, and asked how it does, on each system in its way."""
