"""Sequences: texts, series, and made ones whose best answer is known."""
