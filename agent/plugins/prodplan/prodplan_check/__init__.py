"""Checks schedules against their plans. It shares nothing with what makes the schedules: neither
the solver nor the reading of plans, so that a mistake there cannot hide itself here."""
