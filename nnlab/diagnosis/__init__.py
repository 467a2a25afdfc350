"""What is wrong with a run: rules over its readings and the facts of its config. Knows no torch."""
