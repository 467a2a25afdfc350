"""A long run's readings stay within bounds, and every curve keeps its points."""

import json

from nnlab.studio.server.thinned import MOST_READINGS, thin_readings


def told(step: int, split: str) -> tuple[str, str]:
    return "reading", json.dumps({"kind": "reading", "step": step, "split": split})


def test_old_steps_go_and_each_split_keeps_the_same_ones() -> None:
    log = [("scene", "{}")]
    for step in range(50_000):
        log = thin_readings([*log, told(step, "train"), told(step, "validation")])
        assert len(log) <= 2 * MOST_READINGS + 1
        if step > 9_000:
            break
    events = [json.loads(text) for kind, text in log if kind == "reading"]
    train, validation = (
        [event["step"] for event in events if event["split"] == split]
        for split in ("train", "validation")
    )
    assert train == validation == sorted(train)
    assert log[0][0] == "scene"
    # The first and the newest are there, and no gap is wider than the rest allows.
    assert train[0] == 0
    assert train[-400:] == list(range(train[-1] - 399, train[-1] + 1))
    assert len(train) > MOST_READINGS / 4


def test_few_readings_are_all_kept() -> None:
    log = [told(step, "train") for step in range(2 * MOST_READINGS)]
    assert thin_readings(log) is log
