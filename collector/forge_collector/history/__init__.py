"""What nodes measured, over time."""
