"""How fast an experiment trains on this machine, alone and beside its peers."""
