"""What every room may use: the language's kinds and menus, errors, contracts, files, text.

Nothing here knows about networks or runs, and nothing here imports another room or torch. Start
with `contracts.py` (shapes, plans, batches: what the rooms hand to each other), `events.py` (what a
run tells while it trains) and `kinds.py` (how a class becomes a section of the YAML language).
"""
