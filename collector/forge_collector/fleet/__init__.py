"""Nodes: what they push, whether they are there, and what people call them."""
