"""What a person sees of a run while it trains: the terminal, pictures, TensorBoard.

May import `core`, `training`, `parts` and `experiment`. Start with `views.py` (what a view is told)
and `open_view.py` (which one is taken).
"""
