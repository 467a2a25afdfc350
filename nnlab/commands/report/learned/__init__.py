"""How a run learned, for the first section of its report."""
