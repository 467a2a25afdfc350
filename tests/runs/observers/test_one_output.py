"""Two classes with one output: what is kept of the examples is what two outputs would say."""

from pathlib import Path

import numpy as np

from nnlab.runs.folder.examples import read_record
from nnlab.runs.run import train


def test_the_margin_of_one_logit_is_that_of_the_answered_class(tmp_path: Path) -> None:
    run = train(
        {
            "data": {"kind": "moons", "samples": 200},
            "model": {"kind": "mlp", "hidden": [8]},
            "loss": "bce",
            "train": {"epochs": 4, "batch_size": 20},
            "log": {"examples": 2},
        },
        run_dir=tmp_path / "run",
    ).run
    record = read_record(run)
    assert record.predicted is not None
    assert record.margins is not None
    last = record.margins[-1]
    # A margin is positive where the label is answered, and exp(-loss) is its sigmoid.
    np.testing.assert_array_equal(last > 0, record.predicted[-1] == record.labels)
    np.testing.assert_allclose(record.losses[-1], np.log1p(np.exp(-last)), rtol=1e-4, atol=1e-6)
