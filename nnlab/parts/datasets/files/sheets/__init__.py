"""Tables of text: reading csv files, and what their columns and cells mean."""
