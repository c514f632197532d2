"""Solves production plans: PyJobShop's model of them, on OR-tools' CP-SAT."""
