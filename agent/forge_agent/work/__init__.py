"""Doing jobs: the worker, and the processes that it starts. `run` imports supervision alone."""
