"""What is read of a network while it trains: gradients, activations, updates, curvature.

Start with `readings.py`, which names every reading and says what it means. `labels.py` knows which
layers can be seen, `sight.py` observes what passes between them, `anatomy.py` finds those of a
module that a user hands in.
"""
