"""The engine: built objects in, a stream of events out. It knows no config.

May import `core` alone. Start with `step.py` (what a step promises), `eager_step.py` (one update,
the page to read) and `loop.py` (the stream of events). `compiled/` holds the same step as machine
code or a CUDA graph, `probes/` what can be read of a network while it trains.
"""
