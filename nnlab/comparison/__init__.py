"""Several runs: variants times seeds, what was expected of them, means and curves.

May import `runs` and everything below. Start with `comparison.py` (which runs a file asks for) and
`train.py` (training them one after the other).
"""
