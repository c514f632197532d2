"""Recordings of a real machine, as test data. See scripts/record."""
