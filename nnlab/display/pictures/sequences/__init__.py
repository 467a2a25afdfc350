"""Pictures of runs that learn from sequences."""
