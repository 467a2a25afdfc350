"""`nnlab compare`: what differs between runs, in their configs, curves, scores and weights."""
