"""What is wrong with a run, found in its readings.

May import `experiment` and what is below it, and never torch. Start with `watcher.py`, which asks
every check in turn. `evidence/` turns readings and data into facts, `checks/` judges them.
"""
