"""What is measured: one file a family, each with a ``read`` that returns a Reading."""
