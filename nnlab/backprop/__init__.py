"""`nnlab backprop`: one forward and one backward pass, shown and proved."""
