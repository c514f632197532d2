"""The agent's decisions: pure functions of what they are given, the clock included."""
