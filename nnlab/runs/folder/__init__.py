"""A run's folder: what lies in it, how it is found, listed, locked, checked and saved."""
