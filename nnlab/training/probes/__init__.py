"""What is read of a network while it trains: gradients, activations, updates, curvature.

Start with `readings.py`, which names every reading and says what it means; `anatomy.py` knows
which layers a network has and how to see into them.
"""
