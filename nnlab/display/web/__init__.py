"""Pages for a browser: markup, small plots, how a run learned. None loads from the network."""
