"""What a tab that comes later is told of a long run: the newest readings, and fewer of the old."""

import json

MOST_READINGS = 4000
"""So many readings are told again; of twice as many every second one goes."""
_NEWEST = 1000


def thin_readings(log: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The messages of a run, with the readings of every second old step left out if they are many.

    Args:
        log: kind and JSON text of each, in order; of at most twice `MOST_READINGS` all are kept.
    """
    if len(log) <= 2 * MOST_READINGS:
        return log
    old, new = log[:-_NEWEST], log[-_NEWEST:]
    steps = [json.loads(text)["step"] if kind == "reading" else None for kind, text in old]
    # By step and not one by one: those of training and validation take turns.
    dropped = set(sorted({step for step in steps if step is not None})[1::2])
    return [told for told, step in zip(old, steps, strict=True) if step not in dropped] + new
