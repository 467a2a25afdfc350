"""nnlab from Python: the same functions that the commands call."""

import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from nnlab import evaluation, grouped, prediction
from nnlab import run as runs_
from nnlab.contracts import Event
from nnlab.group import load_group
from nnlab.group_view import GroupView
from nnlab.run import Source
from nnlab.runs import find
from nnlab.summary import Summary
from nnlab.terminal import View, open_view
from nnlab.verdicts import Comparison

_NO_SETTINGS: Mapping[str, Any] = {}


def train(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> Summary:
    """Trains an experiment.

    Args:
        config: a path, a bundled name, a mapping, or a `RunConfig`.
        set: dotted names and values: {"optimizer.lr": 0.01, "optimizer": "sgd"}; a text is a text,
            a number a number, whatever YAML would make of it.
        run_dir: exactly this folder; None makes runs/<name>/<number>.
        device: auto, cpu, cuda, cuda:N or mps.
        quiet: say nothing but warnings; else what the command line shows.

    Returns:
        The summary, with `.run` (the folder) and `.history` (every reading).

    Raises:
        NnlabError: ConfigError, DataError, ..., with the lines that the command prints.
    """
    return runs_.train(
        config,
        overrides=_overrides(set),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=_view(quiet),
    )


def train_group(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> Comparison:
    """Trains a comparison: a config with `variants`, `seeds` or `expect`.

    Args and errors as `train`.

    Returns:
        The comparison: `.runs` with their curves, `.verdicts`, and `.run`, its folder.
    """
    return grouped.train_group(
        load_group(config, _overrides(set)),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=GroupView(quiet=quiet, stream=sys.stderr),
    )


def stream(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> Generator[Event, None, Summary]:
    """Likewise, as a generator of events: Reading, EpochEnd, SaveDue, Stopped.

    Each has been written to the run folder when it comes. A loop that is left early leaves a run
    that can be resumed from its last checkpoint.
    """
    return runs_.stream_run(
        config,
        overrides=_overrides(set),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=_view(quiet),
    )


def evaluate(
    run: str | Path | Summary, *, split: str = "test", device: str = "auto"
) -> dict[str, Any]:
    """The loss and the scores of a run's best checkpoint: {"split", "samples", "loss", ...}."""
    return evaluation.evaluate(_folder(run), split=split, device=device)


def predict(
    run: str | Path | Summary, inputs: object, *, device: str = "auto"
) -> prediction.Prediction:
    """What the best network of a run says of rows (N, *shape) as they are stored, not scaled.

    Returns:
        `.labels` and `.probabilities` of classes, `.outputs`: the numbers of a regression.
    """
    return prediction.predict(_folder(run), inputs, device=device)


def load(run: str | Path | Summary) -> nn.Module:
    """The best network of a run, on the CPU, in evaluation mode.

    It takes scaled inputs, (x - shift) * factor with the numbers of data.json, and gives raw
    outputs (logits); `predict` does both. Where the targets are numbers, `outputs *
    network.target_deviation + network.target_mean` are in their own unit.
    """
    return evaluation.load(_folder(run))


def _folder(run: str | Path | Summary) -> Path:
    return run.run if isinstance(run, Summary) else find(str(run))


def _view(quiet: bool) -> View:
    return open_view(quiet=quiet, stream=sys.stderr)


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    from json import dumps

    # JSON is YAML, so that every plain value survives the way through `--set`; a path is a text.
    return [f"{key}={dumps(value, default=str)}" for key, value in settings.items()]
