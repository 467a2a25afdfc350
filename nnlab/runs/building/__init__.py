"""From a settled experiment to torch objects: network, step, trainer. Start with `build.py`."""
