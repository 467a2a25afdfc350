"""First weights from a file, a run or a name: where they lie, and what of them fits a network."""
