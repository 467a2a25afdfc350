"""The step in one compiled call: recorded from the eager one, built once, kept on disk."""
