"""The engine: built objects in, events out; it knows no config."""
