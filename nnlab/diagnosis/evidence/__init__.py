"""Facts that are computed from readings and data before anything is judged."""
