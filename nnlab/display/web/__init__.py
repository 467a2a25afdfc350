"""Pages for a browser: markup, small plots, how a run learned; one file that asks no host."""
