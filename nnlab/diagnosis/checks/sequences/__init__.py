"""Checks of runs that learn from sequences."""
