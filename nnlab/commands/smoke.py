"""`--smoke`: every stage of an experiment in seconds, in a temporary folder, on the CPU."""

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from nnlab.comparison.comparison import SettledComparison
from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Examples
from nnlab.core.durations import Duration
from nnlab.core.errors import CheckpointError
from nnlab.display.views import View
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.parts.averages import SwaConfig
from nnlab.runs.finished.evaluate import evaluate
from nnlab.runs.run import last_of, stream_run

SMOKE_STEPS = 8


def _shortened(config: RunConfig) -> RunConfig:
    """A config of so few updates, with what begins or ends within its run moved to where it can."""
    train: dict[str, Any] = {"epochs": None, "minutes": None, "steps": SMOKE_STEPS}
    half, quarter = (Duration(SMOKE_STEPS // part, "steps") for part in (2, 4))
    train["unfreeze"] = dict.fromkeys(config.train.unfreeze, half)
    if isinstance(config.train.averaging, SwaConfig):
        train["averaging"] = config.train.averaging.model_copy(update={"start": half})
    # Where the weights come from is no stage of its own, and its length would be over.
    parts: dict[str, Any] = {"train": config.train.model_copy(update=train), "start": None}
    if config.schedule.warmup.amount:
        parts["schedule"] = config.schedule.model_copy(update={"warmup": quarter})
    return config.model_copy(update=parts)


def smoke_all(settled: SettledComparison, *, device: str = "cpu", view: View) -> dict[str, Any]:
    """`smoke_run` of a run; of a comparison, of the first seed of each variant, by their names."""
    found = {
        name: smoke_run(experiment, device=device, view=view)
        for name, experiment in settled.experiments.items()
    }
    several = settled.comparison.compares and any(found)
    return found if several else next(iter(found.values()))


def smoke_run(experiment: Experiment, *, device: str = "cpu", view: View) -> dict[str, Any]:
    """Data, a few steps, validation, checkpoint, reload, evaluation.

    Where a named data set is absent, random data of the same form take its place, and that is said.

    Returns:
        {"status", "steps", "parameters", "data", "test", "seconds"}.
    """
    began = perf_counter()
    config, where = experiment.written, experiment.place
    examples: Examples | None = None
    if not config.data.available(where):
        examples = config.data.stand_in()
        view.note(f"smoke: {config.data.kind} is not here, random data of the same form are used")
    config = _shortened(config)
    # Another length is another experiment: its pace and its schedule are its own.
    shape = None if examples is None else examples.shape
    short = settle(config, where, experiment.machine, shape=shape)
    with tempfile.TemporaryDirectory(prefix="nnlab-smoke-") as folder:
        run = Path(folder) / "run"
        stream = stream_run(
            short,
            run_dir=run,
            device=device,
            view=view,
            examples=examples,
            shown=False,
            alone=True,
        )
        summary = last_of(stream)
        split = "test" if config.data.test != "none" else "train"
        test = evaluate(run, split=split, device=device, examples=examples)
    # A rule may be done sooner; whatever else ends a run early is a failure.
    if summary.steps != SMOKE_STEPS and summary.status != "completed":
        raise CheckpointError(f"smoke: {summary.steps} steps were made, not {SMOKE_STEPS}")
    return {
        "status": summary.status,
        "steps": summary.steps,
        "parameters": summary.parameters,
        "data": config.data.kind if examples is None else "random",
        "test": test,
        "seconds": round(perf_counter() - began, 2),
    }
