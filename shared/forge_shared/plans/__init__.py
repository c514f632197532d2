"""Production plans: what is to be made, on what, and in what order."""
