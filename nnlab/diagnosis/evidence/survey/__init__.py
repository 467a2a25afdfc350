"""What a look at all rows shows: `survey.py` takes it, beside it a file for each kind."""
