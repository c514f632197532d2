"""What is measured: one file a family, each with a ``read`` that returns a Reading.

``container`` knows what a container may use; ``asking`` asks what may never answer.
"""
