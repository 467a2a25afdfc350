"""`nnlab doctor`: what is wrong with a run, or with an experiment before it is trained."""
