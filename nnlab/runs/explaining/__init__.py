"""Why a network answered so: attributions of an answer to the numbers of its input.

Start with `methods.py`, which lists the methods; `sanity.py` asks each whether it sees the weights.
"""
