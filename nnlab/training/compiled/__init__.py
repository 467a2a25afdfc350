"""A training step as machine code (CPU) or as a captured graph (CUDA), recorded from the eager one.

Start with `step.py`; `cache.py` keeps what was built.
"""
