"""`nnlab predict`: what the best network of a run says of files."""
