"""Queues under measurement: one program each, which bench jobs runs in turn."""
