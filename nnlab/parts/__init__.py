"""Menus: one file holds one list of kinds that a YAML line chooses from."""
