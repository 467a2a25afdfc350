"""What is said of a mistake in a config: no right one needs it, so that none imports it."""
